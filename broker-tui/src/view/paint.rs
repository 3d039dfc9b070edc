//! The only way of text to the screen: cleaned, cut to its place, never outside it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::symbols::border;
use ratatui::widgets::{Block, Widget};

use crate::format::number::cells;
use crate::format::text;
use crate::format::value::PieceLine;
use crate::theme::Theme;

/// Writes `text` into the first row of `area`, from the left; gives the columns it took.
pub fn left(buf: &mut Buffer, area: Rect, text: &str, style: Style) -> u16 {
    if area.height == 0 {
        return 0;
    }
    let fitted = text::fit(text, usize::from(area.width));
    put(buf, area.x, area.y, area.width, &fitted, style)
}

/// Likewise; of what is too long the end is kept.
pub fn left_end(buf: &mut Buffer, area: Rect, text: &str, style: Style) -> u16 {
    left(buf, area, &text::fit_end(text, usize::from(area.width)), style)
}

/// Writes `text` into the first row of `area`, to its right end.
pub fn right(buf: &mut Buffer, area: Rect, text: &str, style: Style) -> u16 {
    if area.height == 0 {
        return 0;
    }
    let fitted = text::fit(text, usize::from(area.width));
    let width = cells(text::width(&fitted));
    put(buf, area.right() - width.min(area.width), area.y, width, &fitted, style)
}

/// Writes `text` into the middle of the first row of `area`.
pub fn centred(buf: &mut Buffer, area: Rect, text: &str, style: Style) {
    let fitted = text::fit(text, usize::from(area.width));
    let width = cells(text::width(&fitted));
    left(buf, skip(area, (area.width - width.min(area.width)) / 2), &fitted, style);
}

/// Writes parts of different styles one after another; gives the columns they took.
pub fn parts(buf: &mut Buffer, area: Rect, parts: &[(&str, Style)]) -> u16 {
    let mut taken = 0;
    for (text, style) in parts {
        taken += left(buf, skip(area, taken), text, *style);
    }
    taken
}

/// Writes a line of a value; marks where it is cut.
pub fn pieces(buf: &mut Buffer, area: Rect, line: &PieceLine, theme: &Theme) {
    let width: usize = line.iter().map(|piece| text::width(&piece.text)).sum();
    let cut = width > usize::from(area.width);
    let mut rest = Rect { width: area.width.saturating_sub(u16::from(cut)), ..area };
    if cut {
        right(buf, area, text::ELLIPSIS, theme.dim);
    }
    for piece in line {
        if rest.width == 0 {
            return;
        }
        let shown = text::take(&piece.text, usize::from(rest.width));
        let taken = left(buf, rest, shown, theme.piece(piece.kind));
        rest = skip(rest, taken);
    }
}

/// Several lines in the middle of `area`: what an empty view says.
pub fn notice(buf: &mut Buffer, area: Rect, lines: &[(&str, Style)]) {
    let top = area.height.saturating_sub(cells(lines.len())) / 2;
    for (row, (text, style)) in rows(area).skip(usize::from(top)).zip(lines) {
        centred(buf, row, text, *style);
    }
}

/// Names and what they stand for, one below the other; gives the rows taken.
pub fn facts(buf: &mut Buffer, area: Rect, facts: &[(&str, String)], theme: &Theme) -> u16 {
    const NAME: u16 = 14;
    for (row, (name, text)) in rows(area).zip(facts) {
        left(buf, row, name, theme.dim);
        left(buf, skip(row, NAME), text, theme.text);
    }
    cells(facts.len()).min(area.height)
}

/// The same in two columns.
pub fn facts_in_two(
    buf: &mut Buffer,
    area: Rect,
    first: &[(&str, String)],
    second: &[(&str, String)],
    theme: &Theme,
) {
    let half = area.width / 2;
    facts(buf, Rect { width: half.saturating_sub(2), ..area }, first, theme);
    facts(buf, skip(area, half), second, theme);
}

/// Draws the frame of a list that may be filtered; gives the room in it, and what is left of its upper edge.
pub fn list_frame(buf: &mut Buffer, area: Rect, name: &str, filter: &str, theme: &Theme) -> (Rect, Rect) {
    let inner = frame(buf, area, theme.frame);
    let rest = title(buf, edge(area, false), name, theme.title);
    let filter = if filter.is_empty() { String::new() } else { format!("filter: {filter}") };
    (inner, title(buf, rest, &filter, theme.warn))
}

/// Draws a frame; gives the room in it, with a column free on both sides.
pub fn frame(buf: &mut Buffer, area: Rect, style: Style) -> Rect {
    if area.width < 4 || area.height < 2 {
        return Rect { height: 0, ..area };
    }
    Block::bordered().border_set(border::ROUNDED).border_style(style).render(area, buf);
    Rect { x: area.x + 2, y: area.y + 1, width: area.width - 4, height: area.height - 2 }
}

/// Where titles of a frame go: in its upper or its lower edge.
pub fn edge(area: Rect, lower: bool) -> Rect {
    if area.width < 4 || area.height < 2 {
        return Rect { height: 0, ..area };
    }
    let y = if lower { area.bottom() - 1 } else { area.y };
    Rect { x: area.x + 1, y, width: area.width - 2, height: 1 }
}

/// Writes a title into an edge, from the left, with a space on both sides; gives what is left of the edge.
pub fn title(buf: &mut Buffer, edge: Rect, text: &str, style: Style) -> Rect {
    if text.is_empty() || edge.width < 4 {
        return edge;
    }
    let fitted = format!(" {} ", text::fit(text, usize::from(edge.width - 2)));
    let taken = left(buf, edge, &fitted, style);
    skip(edge, taken)
}

/// Writes a title into an edge, to the right; nothing if it does not fit whole. Gives what is left of the edge.
pub fn title_right(buf: &mut Buffer, edge: Rect, text: &str, style: Style) -> Rect {
    let text = format!(" {} ", text::clean(text));
    let width = cells(text::width(&text));
    if width <= 2 || width > edge.width {
        return edge;
    }
    right(buf, edge, &text, style);
    Rect { width: edge.width - width, ..edge }
}

/// `area` without its first columns.
pub fn skip(area: Rect, columns: u16) -> Rect {
    let columns = columns.min(area.width);
    Rect { x: area.x + columns, width: area.width - columns, ..area }
}

/// `area` without its first rows.
pub fn below(area: Rect, rows: u16) -> Rect {
    let rows = rows.min(area.height);
    Rect { y: area.y + rows, height: area.height - rows, ..area }
}

/// The rows of `area`, from the top.
pub fn rows(area: Rect) -> impl Iterator<Item = Rect> {
    (area.y..area.bottom()).map(move |y| Rect { y, height: 1, ..area })
}

/// A mark in the right edge of a frame where what is shown stands in the whole.
pub fn scrollbar(buf: &mut Buffer, framed: Rect, offset: usize, page: usize, total: usize, style: Style) {
    let track = usize::from(framed.height.saturating_sub(2));
    if total <= page || page == 0 || track == 0 || framed.width == 0 {
        return;
    }
    let length = (track * page / total).max(1);
    let top = (track - length) * offset.min(total - page) / (total - page);
    for y in top..top + length {
        put(buf, framed.right() - 1, framed.y + 1 + cells(y), 1, "┃", style);
    }
}

/// Writes clean text; nothing outside the buffer.
fn put(buf: &mut Buffer, x: u16, y: u16, width: u16, text: &str, style: Style) -> u16 {
    if !buf.area.contains((x, y).into()) {
        return 0;
    }
    let (end, _) = buf.set_stringn(x, y, text, usize::from(width), style);
    end - x
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buffer(width: u16, draw: impl FnOnce(&mut Buffer, Rect)) -> String {
        let area = Rect { x: 0, y: 0, width, height: 1 };
        let mut buf = Buffer::empty(area);
        draw(&mut buf, area);
        buf.content.iter().map(ratatui::buffer::Cell::symbol).collect()
    }

    #[test]
    fn text_keeps_to_its_place() {
        assert_eq!(buffer(6, |buf, area| _ = left(buf, area, "weather", Style::new())), "weath…");
        assert_eq!(buffer(6, |buf, area| _ = right(buf, area, "abc", Style::new())), "   abc");
        assert_eq!(buffer(7, |buf, area| centred(buf, area, "abc", Style::new())), "  abc  ");
        assert_eq!(buffer(6, |buf, area| _ = left_end(buf, area, "weather", Style::new())), "…ather");
        let outside = Rect { x: 3, y: 5, width: 9, height: 1 };
        assert_eq!(buffer(6, |buf, _| _ = left(buf, outside, "abc", Style::new())), "      ");
    }

    #[test]
    fn what_a_terminal_obeys_is_escaped() {
        let shown = buffer(20, |buf, area| _ = left(buf, area, "a\u{1b}[2J\u{202e}", Style::new()));
        assert_eq!(shown, "a\\u{1b}[2J\\u{202e}  ");
    }
}
