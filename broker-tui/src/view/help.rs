//! The help: the table of keys, in a window over the view.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::{Clear, Widget};

use super::paint;
use crate::keymap::{self, HelpLine};
use crate::layout;
use crate::model::Model;
use crate::theme::Theme;

/// Columns of the names of the keys.
const KEYS: u16 = 11;

/// Draws it.
pub fn draw(buf: &mut Buffer, body: Rect, model: &Model, theme: &Theme) {
    let lines = keymap::help(model.view);
    let help = layout::help(body, lines.len());
    Clear.render(help.window, buf);
    let inner = paint::frame(buf, help.window, theme.accent);
    paint::title(buf, paint::edge(help.window, false), "Keys", theme.title);
    let offset = model.help_offset.min(help.last_offset());
    let width = inner.width / help.columns.max(1);
    for (column, lines) in (0..).zip(lines.chunks(help.lines.max(1))) {
        let area = Rect { width: width.saturating_sub(2), ..paint::skip(inner, column * width) };
        for (row, line) in paint::rows(area).zip(lines.iter().skip(offset)) {
            draw_line(buf, row, line, theme);
        }
    }
    if help.last_offset() > 0 {
        paint::scrollbar(buf, help.window, offset, help.page(), help.lines, theme.accent);
        paint::title_right(buf, paint::edge(help.window, true), "↑ ↓ for more", theme.dim);
    }
}

fn draw_line(buf: &mut Buffer, row: Rect, line: &HelpLine, theme: &Theme) {
    match line {
        HelpLine::Heading(title) => {
            paint::left(buf, row, title, theme.title);
        }
        HelpLine::Keys(binding) => {
            paint::left(buf, Rect { width: KEYS.min(row.width), ..row }, binding.shown, theme.key);
            paint::left(buf, paint::skip(row, KEYS), binding.help, theme.text);
        }
        HelpLine::Gap => {}
    }
}
