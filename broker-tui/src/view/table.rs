//! Lists: their columns, their rows, and the row that is selected.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::paint;
use crate::model::cursor::Cursor;
use crate::theme::Theme;

/// Free columns between two.
const GAP: u16 = 2;

/// A column of a list.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// What stands above it.
    pub title: &'static str,
    /// How wide it is, or its share of what is left.
    pub width: Width,
    /// Figures stand to the right.
    pub right: bool,
}

/// The width of a column.
#[derive(Debug, Clone, Copy)]
pub enum Width {
    /// So many columns of the screen.
    Fixed(u16),
    /// So many shares of what is left.
    Share(u16),
}

/// A column of text that takes a share of what is left.
pub const fn flexible(title: &'static str, share: u16) -> Column {
    Column { title, width: Width::Share(share), right: false }
}

/// A column of text.
pub const fn text(title: &'static str, width: u16) -> Column {
    Column { title, width: Width::Fixed(width), right: false }
}

/// A column of figures.
pub const fn figure(title: &'static str, width: u16) -> Column {
    Column { title, width: Width::Fixed(width), right: true }
}

/// A list in its frame: what it shows, and which part of it.
#[derive(Debug, Clone, Copy)]
pub struct List<'a> {
    /// The frame, on the edge of which the scrollbar stands.
    pub frame: Rect,
    /// What is within it.
    pub inner: Rect,
    /// From left to right.
    pub columns: &'a [Column],
    /// The title of the column that the list is sorted by, in any case; empty for none.
    pub sorted_by: &'a str,
    /// How many rows the screen has for it.
    pub page: usize,
}

impl List<'_> {
    /// Draws the titles, the rows from the cursor's first one on with what `cell` puts into each place, and the scrollbar.
    pub fn draw<T, K: Clone + PartialEq>(
        &self,
        buf: &mut Buffer,
        theme: &Theme,
        cursor: &Cursor<K>,
        items: impl ExactSizeIterator<Item = T>,
        mut cell: impl FnMut(&mut Buffer, Rect, &Column, &T),
    ) {
        let room = room(self.inner);
        titles(buf, room, self.columns, self.sorted_by, theme);
        let count = items.len();
        let shown = items.enumerate().skip(cursor.offset());
        for (row, (at, item)) in paint::rows(paint::below(room, 1)).zip(shown) {
            if at == cursor.index() {
                select(buf, row, theme);
            }
            for (place, column) in places(row, self.columns).into_iter().zip(self.columns) {
                cell(buf, place, column, &item);
            }
        }
        paint::scrollbar(buf, self.frame, cursor.offset(), self.page, count, theme.dim);
    }
}

/// The room of a list within a frame: the selection reaches from edge to edge.
fn room(inner: Rect) -> Rect {
    Rect { x: inner.x - 1, width: inner.width + 2, ..inner }
}

/// The places of `columns` in a row; its first [`MARK`] columns are kept for the mark of the selection, its last one is free.
pub fn places(row: Rect, columns: &[Column]) -> Vec<Rect> {
    let row = Rect { width: row.width.saturating_sub(1), ..row };
    let gaps = GAP * u16::try_from(columns.len().saturating_sub(1)).unwrap_or(u16::MAX);
    let (fixed, shares) = columns.iter().fold((0, 0), |(fixed, shares), column| match column.width {
        Width::Fixed(width) => (fixed + width, shares),
        Width::Share(share) => (fixed, shares + share),
    });
    let free = row.width.saturating_sub(MARK).saturating_sub(fixed).saturating_sub(gaps);
    let mut rest = paint::skip(row, MARK);
    let place = |column: &Column| {
        let width = match column.width {
            Width::Fixed(width) => width,
            Width::Share(share) => free * share / shares.max(1),
        };
        let place = Rect { width: width.min(rest.width), ..rest };
        rest = paint::skip(rest, width + GAP);
        place
    };
    columns.iter().map(place).collect()
}

/// Columns that the mark of the selection takes.
pub const MARK: u16 = 2;

/// Draws the titles; that of the column which the list is sorted by has a mark.
pub fn titles(buf: &mut Buffer, row: Rect, columns: &[Column], sorted_by: &str, theme: &Theme) {
    for (place, column) in places(row, columns).into_iter().zip(columns) {
        let sorted = !column.title.is_empty() && column.title.eq_ignore_ascii_case(sorted_by);
        let (title, style) = if sorted {
            (format!("▾{}", column.title), theme.key)
        } else {
            (column.title.to_owned(), theme.column)
        };
        cell(buf, place, column, &title, style);
    }
}

/// Draws a cell.
pub fn cell(buf: &mut Buffer, place: Rect, column: &Column, text: &str, style: Style) {
    if column.right {
        paint::right(buf, place, text, style);
    } else {
        paint::left(buf, place, text, style);
    }
}

/// Marks the selected row, over its whole width.
fn select(buf: &mut Buffer, row: Rect, theme: &Theme) {
    paint::left(buf, row, "▌", theme.key);
    // A colour on the bar of the selection stays readable: only the ground changes.
    buf.set_style(row, theme.selection);
}
