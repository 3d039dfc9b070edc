//! Line charts as SVG, for a page: axes with round ticks, thin lines, a title that a reader of the page's text gets too.
//!
//! Colours are left to the page: line `n` has the class `l<n>`, so that one drawing suits light and dark. Pure.

use std::fmt::Write as _;

use super::escape;

/// The drawing, in its own units; the page scales it.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 280.0;
/// Around the plot: room for the labels of the axes.
const LEFT: f64 = 74.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 40.0;
/// Points of a line that get a place to point at; beyond that they would lie on one another.
const SPOTS_MAX: usize = 130;
/// How many colours the page has.
pub(super) const COLOURS: usize = 6;

/// How values are laid out on the vertical axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    /// From zero.
    Linear,
    /// By their magnitude: what is zero or less is not drawn.
    Log,
}

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    pub(super) name: String,
    /// From 0; beyond [`COLOURS`] they repeat.
    pub(super) colour: usize,
    pub(super) dashed: bool,
    /// A point without a value interrupts the line.
    pub(super) points: Vec<(f64, Option<f64>)>,
}

/// A chart.
#[derive(Debug, Clone)]
pub(super) struct Chart {
    pub(super) title: String,
    /// What stands below the horizontal axis.
    pub(super) x_label: String,
    /// Ticks of the horizontal axis that are no round numbers: a place and its text.
    pub(super) x_ticks: Option<Vec<(f64, String)>>,
    pub(super) y_scale: Scale,
    /// A value of the vertical axis as text, for ticks and spots.
    pub(super) show: fn(f64) -> String,
    pub(super) lines: Vec<Line>,
}

/// Where a value stands on an axis.
struct Span {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
    log: bool,
}

impl Span {
    fn at(&self, value: f64) -> f64 {
        let of = |v: f64| if self.log { v.log10() } else { v };
        let (low, high) = (of(self.low), of(self.high));
        let share = if high > low { (of(value) - low) / (high - low) } else { 0.5 };
        self.from + (self.to - self.from) * share.clamp(0.0, 1.0)
    }
}

impl Chart {
    /// The drawing with its legend; nothing if there is nothing to draw.
    pub(super) fn html(&self) -> String {
        let drawn = |value: f64| value.is_finite() && (self.y_scale == Scale::Linear || value > 0.0);
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let values: Vec<f64> = points().filter_map(|&(_, y)| y.filter(|&y| drawn(y))).collect();
        let (x_low, x_high) = ends(points().map(|&(x, _)| x));
        // Time begins at zero: the first point is the end of the first second.
        let x_low = if self.x_ticks.is_none() { x_low.min(0.0) } else { x_low };
        let (low, high) = ends(values.iter().copied());
        if values.is_empty() || x_low > x_high {
            return String::new();
        }
        let ticks = match self.y_scale {
            Scale::Linear => linear_ticks(0.0, high),
            Scale::Log => log_ticks(low, high),
        };
        let (y_low, y_high) = ends(ticks.iter().copied());
        let log = self.y_scale == Scale::Log;
        let y = Span { low: y_low, high: y_high, from: HEIGHT - BOTTOM, to: TOP, log };
        let x = Span { low: x_low, high: x_high, from: LEFT, to: WIDTH - RIGHT, log: false };
        let mut out = format!("<figure><figcaption>{}</figcaption>\n", escape(&self.title));
        self.legend(&mut out);
        writeln!(
            out,
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">",
            escape(&self.title)
        )
        .unwrap_or_default();
        self.axes(&mut out, &ticks, &x, &y);
        for line in &self.lines {
            self.line(&mut out, line, &x, &y, &drawn);
        }
        out.push_str("</svg></figure>\n");
        out
    }

    fn legend(&self, out: &mut String) {
        if self.lines.len() < 2 {
            return;
        }
        out.push_str("<ul class=\"legend\">");
        for line in &self.lines {
            let dashed = if line.dashed { " dashed" } else { "" };
            let colour = line.colour % COLOURS;
            write!(out, "<li><i class=\"k{colour}{dashed}\"></i>{}</li>", escape(&line.name))
                .unwrap_or_default();
        }
        out.push_str("</ul>\n");
    }

    fn axes(&self, out: &mut String, ticks: &[f64], x: &Span, y: &Span) {
        for &tick in ticks {
            let at = y.at(tick);
            writeln!(
                out,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
                 <text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                WIDTH - RIGHT,
                LEFT - 8.0,
                at + 4.0,
                escape(&short(&(self.show)(tick)))
            )
            .unwrap_or_default();
        }
        let round = || linear_ticks(x.low, x.high).into_iter().map(|tick| (tick, plain(tick))).collect();
        for (tick, text) in self.x_ticks.clone().unwrap_or_else(round) {
            if tick < x.low || tick > x.high {
                continue;
            }
            let at = x.at(tick);
            let foot = HEIGHT - BOTTOM;
            // Near the edge there is no room for half of a text.
            let anchor = if at > WIDTH - RIGHT - 20.0 { "end" } else { "middle" };
            writeln!(
                out,
                "<line class=\"grid\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{foot}\" y2=\"{:.1}\"/>\
                 <text class=\"tick\" x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>",
                foot + 4.0,
                foot + 17.0,
                escape(&text)
            )
            .unwrap_or_default();
        }
        writeln!(
            out,
            "<text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            LEFT + (WIDTH - RIGHT - LEFT) / 2.0,
            HEIGHT - 4.0,
            escape(&self.x_label)
        )
        .unwrap_or_default();
    }

    fn line(&self, out: &mut String, line: &Line, x: &Span, y: &Span, drawn: &dyn Fn(f64) -> bool) {
        let mut path = String::new();
        let mut spots = String::new();
        let mut alone = true;
        let mut pen_down = false;
        for &(at, value) in &line.points {
            let Some(value) = value.filter(|&value| drawn(value)) else {
                pen_down = false;
                continue;
            };
            let (x, y) = (x.at(at), y.at(value));
            write!(path, "{}{x:.1} {y:.1}", if pen_down { "L" } else { "M" }).unwrap_or_default();
            alone &= !pen_down;
            pen_down = true;
            if line.points.len() <= SPOTS_MAX {
                write!(
                    spots,
                    "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"5\"><title>{}: {}</title></circle>",
                    escape(&line.name),
                    escape(&(self.show)(value))
                )
                .unwrap_or_default();
            }
        }
        let class = format!("l{}{}", line.colour % COLOURS, if line.dashed { " dashed" } else { "" });
        // A line of one point has no length: only its spot can show it.
        let dots = if alone { " dots" } else { "" };
        writeln!(out, "<g class=\"{class}{dots}\"><path d=\"{path}\"/>{spots}</g>").unwrap_or_default();
    }
}

/// The least and the greatest; infinities the wrong way round if there are none.
fn ends(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
}

/// Round numbers from the one at or below `low` to the one at or above `high`, about five steps apart.
fn linear_ticks(low: f64, high: f64) -> Vec<f64> {
    let span = (high - low).max(f64::MIN_POSITIVE);
    if high <= low {
        return vec![low, low + 1.0];
    }
    let magnitude = 10_f64.powf((span / 5.0).log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|n| n * magnitude).into_iter().find(|step| span / step <= 5.5);
    let step = step.unwrap_or(magnitude * 10.0);
    let first = (low / step).floor();
    let mut ticks = Vec::new();
    for n in 0..32 {
        let tick = (first + f64::from(n)) * step;
        ticks.push(tick);
        if tick >= high {
            break;
        }
    }
    ticks
}

/// Powers of ten around the values; with twos and fives between them where there are few.
fn log_ticks(low: f64, high: f64) -> Vec<f64> {
    let (first, last) = (low.log10().floor(), high.log10().ceil());
    let steps: &[f64] = if last - first <= 2.0 { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let mut ticks = Vec::new();
    let mut power = first;
    while power <= last && ticks.len() < 64 {
        ticks.extend(steps.iter().map(|step| step * 10_f64.powf(power)));
        power += 1.0;
    }
    // The axis begins at the last tick below all values and ends at the first above them.
    let below = ticks.iter().rposition(|&tick| tick <= low * 1.0001).unwrap_or(0);
    let above = ticks.iter().position(|&tick| tick >= high * 0.9999).unwrap_or(ticks.len().saturating_sub(1));
    let mut ticks: Vec<f64> = ticks.get(below..=above.max(below)).unwrap_or(&ticks).to_vec();
    if let [only] = *ticks.as_slice() {
        ticks.push(only * 10.0);
    }
    ticks
}

/// A number with its unit, without needless digits: a tick is a round number.
fn short(text: &str) -> String {
    let (number, unit) = text.split_once(' ').map_or((text, None), |(number, unit)| (number, Some(unit)));
    let number =
        if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number };
    unit.map_or_else(|| number.to_owned(), |unit| format!("{number} {unit}"))
}

/// A number without needless digits.
fn plain(value: f64) -> String {
    let text = format!("{value:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(y_scale: Scale, lines: Vec<Vec<(f64, Option<f64>)>>) -> Chart {
        let lines = lines.into_iter().enumerate().map(|(colour, points)| Line {
            name: format!("line <{colour}>"),
            colour,
            dashed: false,
            points,
        });
        Chart {
            title: "a & b".to_owned(),
            x_label: "s".to_owned(),
            x_ticks: None,
            y_scale,
            show: plain,
            lines: lines.collect(),
        }
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(linear_ticks(0.0, 9_700.0), [0.0, 2_000.0, 4_000.0, 6_000.0, 8_000.0, 10_000.0]);
        assert_eq!(linear_ticks(1.0, 8.0), [0.0, 2.0, 4.0, 6.0, 8.0]);
        assert_eq!(linear_ticks(0.0, 0.0), [0.0, 1.0]);
        assert_eq!(log_ticks(30.0, 400.0), [20.0, 50.0, 100.0, 200.0, 500.0]);
        assert_eq!(log_ticks(30.0, 2e6), [10.0, 100.0, 1e3, 1e4, 1e5, 1e6, 1e7]);
        assert_eq!(log_ticks(100.0, 100.0), [100.0, 1_000.0]);
        assert_eq!([plain(2.0), plain(0.25), plain(0.0)], ["2", "0.25", "0"]);
        assert_eq!(
            ["10.0 us", "1.00 M", "0.200", "100", "2.50 MiB"].map(short),
            ["10 us", "1 M", "0.2", "100", "2.5 MiB"]
        );
    }

    #[test]
    fn a_gap_interrupts_the_line() {
        let points =
            vec![(0.0, Some(1.0)), (1.0, Some(2.0)), (2.0, None), (3.0, Some(4.0)), (4.0, Some(4.0))];
        let html = chart(Scale::Linear, vec![points]).html();
        let path = html.split("<path d=\"").nth(1).unwrap().split('"').next().unwrap();
        assert_eq!(path.matches('M').count(), 2, "{path}");
        assert_eq!(path.matches('L').count(), 2, "{path}");
        assert_eq!(html.matches("<circle").count(), 4);
        // The top of the axis, 4, is at the top of the plot; everything is inside.
        assert!(path.contains(&format!("{:.1} {TOP:.1}", WIDTH - RIGHT)), "{path}");
    }

    #[test]
    fn names_are_escaped_and_nothing_is_no_chart() {
        let html = chart(Scale::Log, vec![vec![(0.0, Some(5.0))], vec![(0.0, Some(0.0))]]).html();
        assert!(html.contains("line &lt;0&gt;: 5") && html.contains("a &amp; b"), "{html}");
        assert!(!html.contains("NaN") && !html.contains("inf"), "{html}");
        assert_eq!(chart(Scale::Log, vec![vec![(0.0, Some(0.0))]]).html(), "");
        assert_eq!(chart(Scale::Linear, vec![]).html(), "");
    }
}
