//! What the tests of the dashboard share.

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::Color;

/// The characters of a frame, line by line, without spaces at the ends of lines.
pub(crate) fn text(buffer: &Buffer) -> String {
    let width = usize::from(buffer.area.width);
    let mut out = String::new();
    for row in buffer.content.chunks(width.max(1)) {
        // A cell behind a wide character holds a space that the terminal does not show.
        let mut hidden = 0;
        let mut line = String::new();
        for cell in row {
            if hidden > 0 {
                hidden -= 1;
                continue;
            }
            hidden = broker_tui::format::text::width(cell.symbol()).saturating_sub(1);
            line.push_str(cell.symbol());
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// The first cell of the first place where `needle` stands.
#[track_caller]
pub(crate) fn cell<'a>(buffer: &'a Buffer, needle: &str) -> &'a Cell {
    let width = usize::from(buffer.area.width);
    for row in buffer.content.chunks(width) {
        for start in 0..row.len() {
            let here: String = row[start..].iter().map(Cell::symbol).take(needle.chars().count()).collect();
            if here == needle {
                return &row[start];
            }
        }
    }
    panic!("{needle:?} is not on the screen:\n{}", text(buffer));
}

/// The colour of the text at `needle`.
#[track_caller]
pub(crate) fn colour(buffer: &Buffer, needle: &str) -> Color {
    cell(buffer, needle).fg
}
