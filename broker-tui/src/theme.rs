//! The colours, as roles. A view says what something is; the theme says how that looks.
//!
//! Colour never carries a meaning alone: what is bad also says so in words or with a mark. The colours are those of the
//! 256-colour palette, which every terminal of today has; only the charts are blended where the terminal says that it knows
//! RGB. `mono` has no colours at all (`NO_COLOR` asks for it).

use ratatui::style::{Color, Modifier, Style};

use crate::format::value::Kind;

/// The themes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum ThemeName {
    /// For dark terminals.
    #[default]
    Dark,
    /// For light terminals.
    Light,
    /// Without colours.
    Mono,
}

/// How many colours the terminal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Depth {
    /// The palette of 256.
    #[default]
    Palette,
    /// Red, green and blue.
    Rgb,
}

/// Colours of a chart, from its foot to its top.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ramp {
    /// One after another.
    Steps([Style; 4]),
    /// Blended from the first to the second.
    Blend([u8; 3], [u8; 3]),
}

impl Ramp {
    /// The style at `row` of `rows`, counted from the foot.
    pub fn at(&self, row: u16, rows: u16) -> Style {
        let last = rows.saturating_sub(1);
        let row = if last == 0 { 1 } else { row.min(last) };
        let last = last.max(1);
        match self {
            Self::Steps(steps) => {
                let step = usize::from(row) * (steps.len() - 1) / usize::from(last);
                steps.get(step).copied().unwrap_or_default()
            }
            Self::Blend(foot, top) => {
                let mix = |(foot, top): (u8, u8)| {
                    let sum = u32::from(foot) * u32::from(last - row) + u32::from(top) * u32::from(row);
                    u8::try_from(sum / u32::from(last)).unwrap_or(top)
                };
                let [foot_r, foot_g, foot_b] = *foot;
                let [top_r, top_g, top_b] = *top;
                Style::new().fg(Color::Rgb(mix((foot_r, top_r)), mix((foot_g, top_g)), mix((foot_b, top_b))))
            }
        }
    }

    /// The style at the top, also used for the figure itself.
    pub fn top(&self) -> Style {
        self.at(1, 1)
    }
}

/// A role for each thing on the screen.
#[derive(Debug, Clone)]
pub struct Theme {
    /// Ordinary text.
    pub text: Style,
    /// What is less important.
    pub dim: Style,
    /// Frames and rules.
    pub frame: Style,
    /// Titles of frames.
    pub title: Style,
    /// Titles of columns.
    pub column: Style,
    /// Figures.
    pub figure: Style,
    /// The name of the program.
    pub brand: Style,
    /// The tab in front.
    pub tab: Style,
    /// Keys in the footer and the help.
    pub key: Style,
    /// Names of groups, and what else leads somewhere.
    pub accent: Style,
    /// All is well.
    pub good: Style,
    /// Look here.
    pub warn: Style,
    /// This is wrong.
    pub bad: Style,
    /// The banner.
    pub banner: Style,
    /// The selected row.
    pub selection: Style,
    /// The line that is being typed.
    pub input: Style,
    /// Charts of what comes in.
    pub ramp_in: Ramp,
    /// Charts of what goes out.
    pub ramp_out: Ramp,
    /// Charts of levels.
    pub ramp_level: Ramp,
    /// Charts of what should be zero.
    pub ramp_bad: Ramp,
    /// Strings, numbers, keys and so on of a value.
    text_in_value: Style,
    number_in_value: Style,
    key_in_value: Style,
    literal_in_value: Style,
    binary_in_value: Style,
}

impl ThemeName {
    /// The theme of that name on a terminal of that depth.
    pub fn theme(self, depth: Depth) -> Theme {
        match self {
            Self::Dark => coloured(&DARK, depth),
            Self::Light => coloured(&LIGHT, depth),
            Self::Mono => mono(),
        }
    }
}

impl Theme {
    /// How a piece of a value looks.
    pub fn piece(&self, kind: Kind) -> Style {
        match kind {
            Kind::Key => self.key_in_value,
            Kind::Text => self.text_in_value,
            Kind::Number => self.number_in_value,
            Kind::Literal => self.literal_in_value,
            Kind::Binary => self.binary_in_value,
            Kind::Punctuation | Kind::Note => self.dim,
        }
    }
}

/// Numbers of the 256-colour palette.
struct Palette {
    text: u8,
    dim: u8,
    frame: u8,
    title: u8,
    figure: u8,
    accent: u8,
    on_accent: u8,
    good: u8,
    warn: u8,
    bad: u8,
    on_bad: u8,
    banner: u8,
    selection: u8,
    value: [u8; 5],
    ramp_in: RampColours,
    ramp_out: RampColours,
    ramp_level: RampColours,
    ramp_bad: RampColours,
}

/// A ramp for either depth.
struct RampColours {
    palette: [u8; 4],
    foot: [u8; 3],
    top: [u8; 3],
}

const DARK: Palette = Palette {
    text: 252,
    dim: 245,
    frame: 239,
    title: 250,
    figure: 255,
    accent: 117,
    on_accent: 16,
    good: 114,
    warn: 221,
    bad: 210,
    on_bad: 231,
    banner: 124,
    selection: 237,
    value: [114, 221, 117, 183, 180],
    ramp_in: RampColours { palette: [24, 31, 38, 81], foot: [0x12, 0x3c, 0x5a], top: [0x5c, 0xd0, 0xff] },
    ramp_out: RampColours { palette: [22, 28, 71, 114], foot: [0x14, 0x43, 0x33], top: [0x6f, 0xe3, 0xa5] },
    ramp_level: RampColours {
        palette: [60, 97, 140, 183],
        foot: [0x33, 0x2d, 0x5c],
        top: [0xb9, 0xa5, 0xff],
    },
    ramp_bad: RampColours {
        palette: [124, 160, 203, 210],
        foot: [0x6a, 0x1b, 0x22],
        top: [0xff, 0x7a, 0x75],
    },
};

const LIGHT: Palette = Palette {
    text: 236,
    dim: 243,
    frame: 250,
    title: 239,
    figure: 16,
    accent: 25,
    on_accent: 231,
    good: 28,
    warn: 130,
    bad: 124,
    on_bad: 231,
    banner: 124,
    selection: 254,
    value: [28, 130, 25, 91, 94],
    ramp_in: RampColours { palette: [153, 110, 68, 25], foot: [0xc9, 0xe4, 0xf7], top: [0x0f, 0x6c, 0xb4] },
    ramp_out: RampColours { palette: [151, 108, 71, 28], foot: [0xcb, 0xec, 0xd8], top: [0x12, 0x80, 0x4a] },
    ramp_level: RampColours {
        palette: [189, 146, 103, 60],
        foot: [0xdd, 0xd6, 0xf7],
        top: [0x5b, 0x45, 0xb8],
    },
    ramp_bad: RampColours {
        palette: [217, 210, 167, 124],
        foot: [0xfa, 0xcf, 0xcc],
        top: [0xb4, 0x1c, 0x1c],
    },
};

fn coloured(palette: &Palette, depth: Depth) -> Theme {
    let fg = |n: u8| Style::new().fg(Color::Indexed(n));
    let ramp = |colours: &RampColours| match depth {
        Depth::Palette => Ramp::Steps(colours.palette.map(fg)),
        Depth::Rgb => Ramp::Blend(colours.foot, colours.top),
    };
    let [string, number, key, literal, binary] = palette.value;
    Theme {
        text: fg(palette.text),
        dim: fg(palette.dim),
        frame: fg(palette.frame),
        title: fg(palette.title).add_modifier(Modifier::BOLD),
        column: fg(palette.dim),
        figure: fg(palette.figure).add_modifier(Modifier::BOLD),
        brand: fg(palette.accent).add_modifier(Modifier::BOLD),
        tab: fg(palette.on_accent).bg(Color::Indexed(palette.accent)).add_modifier(Modifier::BOLD),
        key: fg(palette.accent).add_modifier(Modifier::BOLD),
        accent: fg(palette.accent),
        good: fg(palette.good),
        warn: fg(palette.warn),
        bad: fg(palette.bad).add_modifier(Modifier::BOLD),
        banner: fg(palette.on_bad).bg(Color::Indexed(palette.banner)).add_modifier(Modifier::BOLD),
        selection: Style::new().bg(Color::Indexed(palette.selection)).add_modifier(Modifier::BOLD),
        input: fg(palette.figure).bg(Color::Indexed(palette.selection)),
        ramp_in: ramp(&palette.ramp_in),
        ramp_out: ramp(&palette.ramp_out),
        ramp_level: ramp(&palette.ramp_level),
        ramp_bad: ramp(&palette.ramp_bad),
        text_in_value: fg(string),
        number_in_value: fg(number),
        key_in_value: fg(key),
        literal_in_value: fg(literal),
        binary_in_value: fg(binary),
    }
}

fn mono() -> Theme {
    let plain = Style::new();
    let dim = plain.add_modifier(Modifier::DIM);
    let bold = plain.add_modifier(Modifier::BOLD);
    let reversed = plain.add_modifier(Modifier::REVERSED);
    Theme {
        text: plain,
        dim,
        frame: dim,
        title: bold,
        column: dim,
        figure: bold,
        brand: bold,
        tab: reversed.add_modifier(Modifier::BOLD),
        key: bold,
        accent: plain,
        good: plain,
        warn: bold,
        bad: bold.add_modifier(Modifier::UNDERLINED),
        banner: reversed.add_modifier(Modifier::BOLD),
        selection: reversed,
        input: plain.add_modifier(Modifier::UNDERLINED),
        ramp_in: Ramp::Steps([plain; 4]),
        ramp_out: Ramp::Steps([plain; 4]),
        ramp_level: Ramp::Steps([plain; 4]),
        ramp_bad: Ramp::Steps([bold; 4]),
        text_in_value: plain,
        number_in_value: plain,
        key_in_value: bold,
        literal_in_value: plain,
        binary_in_value: plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mono_has_no_colour() {
        let all = format!("{:?}", mono());
        assert!(!all.contains("Indexed") && !all.contains("Rgb"), "{all}");
    }

    #[test]
    fn a_ramp_goes_from_foot_to_top() {
        let ink = |style: Style| style.fg.unwrap();
        let ramp = ThemeName::Dark.theme(Depth::Palette).ramp_in;
        let steps = [0, 2, 4].map(|row| ink(ramp.at(row, 5)));
        assert_eq!(steps, [Color::Indexed(24), Color::Indexed(31), Color::Indexed(81)]);
        assert_eq!([ink(ramp.top()), ink(ramp.at(0, 0)), ink(ramp.at(9, 5))], [Color::Indexed(81); 3]);
        let blend = Ramp::Blend([0, 10, 255], [100, 20, 0]);
        let steps = [0, 1, 4].map(|row| ink(blend.at(row, 5)));
        assert_eq!(steps, [Color::Rgb(0, 10, 255), Color::Rgb(25, 12, 191), Color::Rgb(100, 20, 0)]);
    }
}
