//! Bars of eighths: a sparkline where it has one row, a chart where it has more.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::format::number::{cells, share};
use crate::theme::Ramp;

/// Rows from which on a chart has all of its ramp.
const FULL_RAMP: u16 = 5;
const EIGHTHS: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/// What the foot and the top of a chart stand for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// The foot.
    pub low: f64,
    /// The top.
    pub high: f64,
}

impl Scale {
    /// From zero to a little above the highest value, so that a steady figure is not a wall; at least to `least`, so that
    /// next to nothing does not look like much.
    pub fn from_zero(columns: &[Option<f64>], least: f64) -> Self {
        let (_, highest) = ends(columns);
        Self { low: 0.0, high: (highest * 1.15).max(least) }
    }

    /// Around the values, but so that a small change stays small: a steady level is a line at half height.
    pub fn level(columns: &[Option<f64>]) -> Self {
        let (low, high) = ends(columns);
        let middle = f64::midpoint(low, high);
        let half = ((high - low) * 0.6).max(middle.abs() * 0.2);
        if half > 0.0 {
            Self { low: (middle - half).max(0.0), high: middle + half }
        } else {
            Self { low: 0.0, high: 0.0 }
        }
    }

    /// Around the values: for readings, where the change is what matters and not the distance from zero.
    pub fn around(columns: &[Option<f64>]) -> Self {
        let (low, high) = ends(columns);
        let margin = if high > low { (high - low) * 0.15 } else { low.abs().max(1.0) * 0.5 };
        Self { low: low - margin, high: high + margin }
    }
}

/// The lowest and the highest value; zeros if there is none.
pub fn ends(columns: &[Option<f64>]) -> (f64, f64) {
    let values = || columns.iter().flatten().copied();
    let low = values().fold(f64::INFINITY, f64::min);
    let high = values().fold(f64::NEG_INFINITY, f64::max);
    if low <= high { (low, high) } else { (0.0, 0.0) }
}

/// Draws `columns`, the last one at the right end of `area`. A zero is a faint line, what is not known is nothing, and
/// whatever is more than zero is at least an eighth.
pub fn draw(buf: &mut Buffer, area: Rect, columns: &[Option<f64>], scale: Scale, ramp: Ramp, zero: Style) {
    let height = u32::from(area.height) * 8;
    // The dark foot of a ramp is for charts that are high enough to have a top as well.
    let lift = FULL_RAMP.saturating_sub(area.height);
    let shown = columns.iter().rev().take(usize::from(area.width));
    for (back, value) in (1..).zip(shown) {
        let Some(value) = *value else { continue };
        let x = area.right() - back;
        let level = share(value - scale.low, scale.high - scale.low, height);
        let level = if value > scale.low { level.max(1) } else { 0 };
        for row in 0..area.height {
            let filled = level.saturating_sub(u32::from(row) * 8).min(8);
            let (symbol, style) = match (row, filled) {
                (0, 0) => ("▁", zero),
                (_, 0) => break,
                _ => {
                    let symbol =
                        usize::try_from(filled).ok().and_then(|n| EIGHTHS.get(n)).copied().unwrap_or(" ");
                    (symbol, ramp.at(row + lift, area.height + lift))
                }
            };
            if let Some(cell) = buf.cell_mut((x, area.bottom() - 1 - row)) {
                cell.set_symbol(symbol).set_style(style);
            }
        }
    }
}

/// A bar from the left: `value` of `most` on the whole width, in halves of a column.
pub fn bar(buf: &mut Buffer, area: Rect, value: f64, most: f64, style: Style) {
    let mut halves = share(value, most, u32::from(area.width) * 2);
    if value > 0.0 {
        halves = halves.max(1);
    }
    for column in 0..cells(usize::try_from(halves.div_ceil(2)).unwrap_or_default()) {
        let whole = u32::from(column) * 2 + 1 < halves;
        if let Some(cell) = buf.cell_mut((area.x + column, area.y)) {
            cell.set_symbol(if whole { "━" } else { "╸" }).set_style(style);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::theme::{Depth, ThemeName};

    fn shown(width: u16, height: u16, columns: &[Option<f64>], scale: Scale) -> Vec<String> {
        let area = Rect { x: 0, y: 0, width, height };
        let mut buf = Buffer::empty(area);
        draw(&mut buf, area, columns, scale, ThemeName::Dark.theme(Depth::Palette).ramp_in, Style::new());
        let row = |y| (0..width).map(|x| buf[(x, y)].symbol()).collect();
        (0..height).map(row).collect()
    }

    #[test]
    fn sparkline() {
        let columns = [None, Some(0.0), Some(0.001), Some(4.0), Some(8.0), Some(80.0)];
        assert_eq!(shown(6, 1, &columns, Scale { low: 0.0, high: 8.0 }), [" ▁▁▄██"]);
        assert_eq!(
            shown(3, 1, &columns, Scale { low: 0.0, high: 8.0 }),
            ["▄██"],
            "the newest are on the right"
        );
        assert_eq!(shown(8, 1, &[Some(8.0)], Scale { low: 0.0, high: 8.0 }), ["       █"]);
    }

    #[test]
    fn chart_of_several_rows() {
        let columns = [Some(4.0), Some(8.0), Some(12.0), Some(16.0)];
        assert_eq!(shown(4, 2, &columns, Scale { low: 0.0, high: 16.0 }), ["  ▄█", "▄███"]);
    }

    #[test]
    fn scales() {
        assert_eq!(Scale::around(&[Some(10.0), Some(20.0)]), Scale { low: 8.5, high: 21.5 });
        assert_eq!(Scale::around(&[Some(0.0)]), Scale { low: -0.5, high: 0.5 });
        assert_eq!(Scale::level(&[Some(10.0)]), Scale { low: 8.0, high: 12.0 });
        assert_eq!(Scale::level(&[Some(0.0), Some(10.0)]), Scale { low: 0.0, high: 11.0 });
        assert_eq!(Scale::level(&[None, Some(0.0)]), Scale { low: 0.0, high: 0.0 });
        assert_eq!(Scale::from_zero(&[None], 0.0), Scale { low: 0.0, high: 0.0 });
        assert_eq!(shown(1, 1, &[Some(0.0)], Scale::from_zero(&[Some(0.0)], 10.0)), ["▁"]);
    }

    #[test]
    fn bars() {
        let area = Rect { x: 0, y: 0, width: 4, height: 1 };
        for (value, expected) in
            [(0.0, "    "), (0.1, "╸   "), (4.0, "━━  "), (5.0, "━━╸ "), (8.0, "━━━━"), (99.0, "━━━━")]
        {
            let mut buf = Buffer::empty(area);
            bar(&mut buf, area, value, 8.0, Style::new());
            let got: String = buf.content.iter().map(ratatui::buffer::Cell::symbol).collect();
            assert_eq!(got, expected, "{value}");
        }
    }
}
