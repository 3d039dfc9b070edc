//! A frame as a picture: an SVG that needs nothing but itself.
//!
//! Bars and frames are drawn as shapes, so that they meet whatever font the reader has; text is text, each run stretched
//! to its columns.

use std::fmt::Write as _;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};

use crate::format::text;

/// Size of a cell and of what is around the cells, in pixels.
const CELL_WIDTH: f64 = 8.4;
const CELL_HEIGHT: f64 = 18.0;
const BASELINE: f64 = 13.4;
const FONT_SIZE: f64 = 14.0;
const MARGIN: f64 = 14.0;
const TITLE_BAR: f64 = 34.0;

/// The paper of the picture: what a terminal shows where nothing says a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paper {
    /// A dark terminal.
    Dark,
    /// A light terminal.
    Light,
}

impl Paper {
    fn ground(self) -> u32 {
        match self {
            Self::Dark => 0x0f_131a,
            Self::Light => 0xfd_fdfb,
        }
    }

    fn ink(self) -> u32 {
        match self {
            Self::Dark => 0xd0_d4dc,
            Self::Light => 0x26_2b33,
        }
    }

    fn bar(self) -> u32 {
        match self {
            Self::Dark => 0x1a_1f29,
            Self::Light => 0xec_ece8,
        }
    }
}

/// The picture of a frame in a dark window.
pub fn svg(buffer: &Buffer) -> String {
    svg_on(buffer, Paper::Dark, "broker-tui")
}

/// The picture of a frame in a window with this title.
pub fn svg_on(buffer: &Buffer, paper: Paper, title: &str) -> String {
    let (columns, rows) = (buffer.area.width, buffer.area.height);
    let width = f64::from(columns) * CELL_WIDTH + 2.0 * MARGIN;
    let height = f64::from(rows) * CELL_HEIGHT + TITLE_BAR + MARGIN;
    let mut out = String::with_capacity(buffer.content.len() * 16);
    let ground = paper.ground();
    // Writing to a String cannot fail.
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.1} {height:.1}\" \
         font-family=\"ui-monospace,'JetBrains Mono','SF Mono',Menlo,Consolas,'DejaVu Sans Mono',monospace\" font-size=\"{FONT_SIZE}\">\n\
         <rect width=\"{width:.1}\" height=\"{height:.1}\" rx=\"10\" fill=\"#{ground:06x}\"/>\n\
         <path d=\"M0 {0:.1}V10a10 10 0 0 1 10-10H{1:.1}a10 10 0 0 1 10 10V{0:.1}Z\" fill=\"#{2:06x}\"/>\n",
        TITLE_BAR - 8.0,
        width - 10.0,
        paper.bar(),
    );
    for (x, colour) in [(18, "ff5f57"), (38, "febc2e"), (58, "28c840")] {
        let _ = writeln!(out, "<circle cx=\"{x}\" cy=\"13\" r=\"6\" fill=\"#{colour}\"/>");
    }
    let _ = writeln!(
        out,
        "<text x=\"{:.1}\" y=\"18\" text-anchor=\"middle\" fill=\"#{:06x}\" fill-opacity=\".6\">{}</text>",
        width / 2.0,
        paper.ink(),
        escape(&text::clean(title)),
    );
    for (y, row) in (0_u16..).zip(buffer.content.chunks(usize::from(columns).max(1))) {
        draw_row(&mut out, TITLE_BAR + f64::from(y) * CELL_HEIGHT, row, paper);
    }
    out.push_str("</svg>\n");
    out
}

/// How a cell looks.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Look {
    ink: u32,
    ground: Option<u32>,
    bold: bool,
    dim: bool,
    underlined: bool,
}

impl Look {
    fn of(cell: &Cell, paper: Paper) -> Self {
        let has = |modifier| cell.modifier.contains(modifier);
        let (ink, ground) = (rgb(cell.fg), rgb(cell.bg));
        let (ink, ground) = if has(Modifier::REVERSED) {
            (Some(ground.unwrap_or(paper.ground())), Some(ink.unwrap_or(paper.ink())))
        } else {
            (ink, ground)
        };
        Self {
            ink: ink.unwrap_or(paper.ink()),
            ground,
            bold: has(Modifier::BOLD),
            dim: has(Modifier::DIM),
            underlined: has(Modifier::UNDERLINED),
        }
    }

    fn attributes(self) -> String {
        let mut out = format!(" fill=\"#{:06x}\"", self.ink);
        for (is, attribute) in [
            (self.bold, " font-weight=\"bold\""),
            (self.dim, " opacity=\".55\""),
            (self.underlined, " text-decoration=\"underline\""),
        ] {
            if is {
                out.push_str(attribute);
            }
        }
        out
    }
}

fn left_of(column: usize) -> f64 {
    MARGIN + f64::from(u32::try_from(column).unwrap_or_default()) * CELL_WIDTH
}

/// Grounds, then shapes and runs of text.
fn draw_row(out: &mut String, top: f64, row: &[Cell], paper: Paper) {
    let looks: Vec<Look> = row.iter().map(|cell| Look::of(cell, paper)).collect();
    runs(
        &looks,
        |look| look.ground,
        |ground, start, length| {
            if let Some(ground) = ground {
                rect(
                    out,
                    left_of(start),
                    top,
                    left_of(length) - MARGIN,
                    CELL_HEIGHT,
                    &format!(" fill=\"#{ground:06x}\""),
                );
            }
        },
    );
    let mut bars: Vec<Option<(u8, Look)>> = Vec::with_capacity(row.len());
    let mut text_run: Option<(usize, Look, String)> = None;
    let mut hidden = 0;
    for (column, (cell, look)) in row.iter().zip(&looks).enumerate() {
        let symbol = cell.symbol();
        bars.push(bar_height(symbol).map(|eighths| (eighths, *look)));
        if hidden > 0 {
            hidden -= 1;
            continue;
        }
        hidden = text::width(symbol).saturating_sub(1);
        let shape = bar_height(symbol).is_some() || stroke(out, symbol, left_of(column), top, *look);
        let spare = shape || symbol == " " && text_run.as_ref().is_none_or(|(_, other, _)| other != look);
        match &mut text_run {
            Some((_, other, run)) if !spare && other == look && hidden == 0 => run.push_str(symbol),
            run => {
                flush(out, run.take(), top);
                if !spare {
                    *run = Some((column, *look, symbol.to_owned()));
                }
                if hidden > 0 {
                    flush(out, run.take(), top);
                }
            }
        }
    }
    flush(out, text_run, top);
    runs(
        &bars,
        |bar| *bar,
        |bar, start, length| {
            if let Some((eighths, look)) = bar {
                let height = CELL_HEIGHT * f64::from(eighths) / 8.0;
                // A hair wider than the cells, so that no seam shows between two bars.
                let (left, width) = (left_of(start), left_of(length) - MARGIN + 0.3);
                rect(out, left, top + CELL_HEIGHT - height, width, height + 0.3, &look.attributes());
            }
        },
    );
}

/// Calls `each` with what neighbours have in common, where that starts and how many they are.
fn runs<T, K: PartialEq>(items: &[T], key: impl Fn(&T) -> K, mut each: impl FnMut(K, usize, usize)) {
    let mut start = 0;
    for chunk in items.chunk_by(|a, b| key(a) == key(b)) {
        if let Some(first) = chunk.first() {
            each(key(first), start, chunk.len());
        }
        start += chunk.len();
    }
}

fn flush(out: &mut String, run: Option<(usize, Look, String)>, top: f64) {
    let Some((start, look, run)) = run else { return };
    let run = run.trim_end();
    if run.is_empty() {
        return;
    }
    let (x, y) = (left_of(start), top + BASELINE);
    let length = left_of(text::width(run)) - MARGIN;
    let (look, run) = (look.attributes(), escape(run));
    let _ = writeln!(
        out,
        "<text xml:space=\"preserve\" x=\"{x:.1}\" y=\"{y:.1}\" textLength=\"{length:.1}\" lengthAdjust=\"spacingAndGlyphs\"{look}>{run}</text>"
    );
}

fn rect(out: &mut String, x: f64, y: f64, width: f64, height: f64, attributes: &str) {
    let _ = writeln!(
        out,
        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"{attributes}/>"
    );
}

/// Eighths of a bar that stands on the foot of its cell.
fn bar_height(symbol: &str) -> Option<u8> {
    "▁▂▃▄▅▆▇█".chars().position(|bar| symbol.starts_with(bar)).and_then(|at| u8::try_from(at + 1).ok())
}

/// Lines of frames and bars, from the middle of a cell to its edges; says whether `symbol` was one.
fn stroke(out: &mut String, symbol: &str, x: f64, y: f64, look: Look) -> bool {
    let (middle, centre) = (x + CELL_WIDTH / 2.0, y + CELL_HEIGHT / 2.0);
    let (right, foot) = (x + CELL_WIDTH, y + CELL_HEIGHT);
    let (path, width) = match symbol {
        "─" => (format!("M{x:.1} {centre:.1}H{right:.1}"), 1.2),
        "│" => (format!("M{middle:.1} {y:.1}V{foot:.1}"), 1.2),
        "┃" => (format!("M{middle:.1} {y:.1}V{foot:.1}"), 3.2),
        "━" => (format!("M{x:.1} {centre:.1}H{right:.1}"), 5.0),
        "╸" => (format!("M{x:.1} {centre:.1}H{middle:.1}"), 5.0),
        "▌" => (format!("M{:.1} {y:.1}V{foot:.1}", x + CELL_WIDTH / 4.0), CELL_WIDTH / 2.0),
        "╭" => (format!("M{middle:.1} {foot:.1}Q{middle:.1} {centre:.1} {right:.1} {centre:.1}"), 1.2),
        "╮" => (format!("M{x:.1} {centre:.1}Q{middle:.1} {centre:.1} {middle:.1} {foot:.1}"), 1.2),
        "╯" => (format!("M{middle:.1} {y:.1}Q{middle:.1} {centre:.1} {x:.1} {centre:.1}"), 1.2),
        "╰" => (format!("M{middle:.1} {y:.1}Q{middle:.1} {centre:.1} {right:.1} {centre:.1}"), 1.2),
        _ => return false,
    };
    let opacity = if look.dim { " opacity=\".55\"" } else { "" };
    let ink = look.ink;
    let _ = writeln!(
        out,
        "<path d=\"{path}\" fill=\"none\" stroke=\"#{ink:06x}\" stroke-width=\"{width:.1}\"{opacity}/>"
    );
    true
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The colour as red, green and blue; `None` for the terminal's own.
fn rgb(colour: Color) -> Option<u32> {
    const NAMED: [u32; 16] = [
        0x1d_1f21, 0xcc_6666, 0x8f_a85d, 0xde_935f, 0x5f_87af, 0x85_678f, 0x5e_8d87, 0xc5_c8c6, 0x70_7880,
        0xd5_4e53, 0xb9_ca4a, 0xe7_c547, 0x7a_a6da, 0xc3_97d8, 0x70_c0b1, 0xea_eaea,
    ];
    let named = |n: usize| NAMED.get(n).copied();
    match colour {
        Color::Reset => None,
        Color::Rgb(r, g, b) => Some(u32::from_be_bytes([0, r, g, b])),
        Color::Indexed(n @ 0..16) => named(usize::from(n)),
        // A cube of six steps each.
        Color::Indexed(n @ 16..232) => {
            let step = |s: u8| if s == 0 { 0 } else { 55 + 40 * u32::from(s) };
            let n = n - 16;
            Some(step(n / 36) << 16 | step(n / 6 % 6) << 8 | step(n % 6))
        }
        Color::Indexed(n) => Some((8 + 10 * u32::from(n - 232)) * 0x01_0101),
        Color::Black => named(0),
        Color::Red => named(1),
        Color::Green => named(2),
        Color::Yellow => named(3),
        Color::Blue => named(4),
        Color::Magenta => named(5),
        Color::Cyan => named(6),
        Color::Gray => named(7),
        Color::DarkGray => named(8),
        Color::LightRed => named(9),
        Color::LightGreen => named(10),
        Color::LightYellow => named(11),
        Color::LightBlue => named(12),
        Color::LightMagenta => named(13),
        Color::LightCyan => named(14),
        Color::White => named(15),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    fn picture(draw: impl FnOnce(&mut Buffer)) -> String {
        let mut buffer = Buffer::empty(Rect { x: 0, y: 0, width: 20, height: 2 });
        draw(&mut buffer);
        svg(&buffer)
    }

    #[test]
    fn text_is_escaped_and_placed() {
        let svg = picture(|buffer| buffer.set_string(2, 1, "a<b & c", Style::new().fg(Color::Indexed(196))));
        assert!(svg.contains(">a&lt;b &amp; c</text>"), "{svg}");
        assert!(svg.contains("x=\"30.8\" y=\"65.4\"") && svg.contains("fill=\"#ff0000\""), "{svg}");
    }

    #[test]
    fn bars_and_frames_are_shapes() {
        let svg = picture(|buffer| buffer.set_string(0, 0, "╭─╮│▄▄█▌", Style::new()));
        assert!(!svg.contains('▄') && !svg.contains('╭') && !svg.contains('▌'), "{svg}");
        assert_eq!(svg.matches("<path").count(), 6, "the title bar and five strokes: {svg}");
    }

    #[test]
    fn modifiers_are_seen() {
        let svg = picture(|buffer| {
            buffer.set_string(0, 0, "x", Style::new().add_modifier(Modifier::REVERSED | Modifier::BOLD));
            buffer.set_string(0, 1, "y", Style::new().add_modifier(Modifier::DIM));
        });
        assert!(svg.contains("fill=\"#0f131a\" font-weight=\"bold\">x<"), "{svg}");
        assert!(svg.contains("opacity=\".55\">y<"), "{svg}");
    }

    #[test]
    fn the_palette() {
        let cases = [(16, 0x00_0000), (231, 0xff_ffff), (232, 0x08_0808), (255, 0xee_eeee), (81, 0x5f_d7ff)];
        for (n, expected) in cases {
            assert_eq!(rgb(Color::Indexed(n)), Some(expected), "{n}");
        }
        assert_eq!(rgb(Color::Reset), None);
    }
}
