//! The last line: the keys that apply, or the line that is being typed.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::paint;
use crate::format::number::cells;
use crate::format::text;
use crate::keymap::{self, Binding, Scope};
use crate::model::{Model, Purpose, Typing};
use crate::theme::Theme;

/// Draws it; gives the place of the cursor while a line is typed.
pub fn draw(buf: &mut Buffer, area: Rect, model: &Model, theme: &Theme) -> Option<Position> {
    let area = Rect { width: area.width - 1, ..paint::skip(area, 1) };
    if let Some(typing) = &model.typing {
        return Some(prompt(buf, area, typing, theme));
    }
    let scopes = keymap::scopes(model);
    let labelled = |scope: Scope| keymap::of(scope).filter(|binding| !binding.label.is_empty());
    // Those that apply everywhere stand to the right, and always fit; what the view adds gets the rest.
    let (common, particular): (Vec<Scope>, Vec<Scope>) =
        scopes.into_iter().partition(|scope| *scope == Scope::Everywhere);
    let common: Vec<&Binding> = common.into_iter().flat_map(labelled).collect();
    let width: u16 = common.iter().map(|binding| entry_width(binding)).sum();
    let right = paint::skip(area, area.width.saturating_sub(width.saturating_sub(GAP)));
    entries(buf, right, common.into_iter(), theme);
    let left = Rect { width: area.width.saturating_sub(width), ..area };
    entries(buf, left, particular.into_iter().flat_map(labelled), theme);
    None
}

/// Free columns between two keys.
const GAP: u16 = 3;

fn entry_width(binding: &Binding) -> u16 {
    cells(text::width(binding.shown) + 1 + text::width(binding.label)) + GAP
}

/// Draws whole entries only: half a label helps nobody.
fn entries<'a>(buf: &mut Buffer, area: Rect, bindings: impl Iterator<Item = &'a Binding>, theme: &Theme) {
    let mut rest = area;
    for binding in bindings {
        if entry_width(binding) > rest.width + GAP {
            return;
        }
        paint::parts(buf, rest, &[(binding.shown, theme.key), (" ", theme.dim), (binding.label, theme.dim)]);
        rest = paint::skip(rest, entry_width(binding));
    }
}

fn prompt(buf: &mut Buffer, area: Rect, typing: &Typing, theme: &Theme) -> Position {
    let label = match typing.purpose {
        Purpose::TopicsFilter | Purpose::ConnectionsFilter => "filter: ",
        Purpose::TrafficPattern => "pattern: ",
    };
    let keys: Vec<&Binding> = keymap::of(Scope::Typing).take(2).collect();
    let keys_width: u16 = keys.iter().map(|binding| entry_width(binding)).sum();
    let keys_width = if area.width >= keys_width + 30 { keys_width } else { 0 };
    if keys_width > 0 {
        entries(buf, paint::skip(area, area.width - keys_width + GAP), keys.into_iter(), theme);
    }
    let label_width = paint::left(buf, area, label, theme.key);
    let line = Rect { width: area.width - keys_width, ..area };
    let line = paint::skip(line, label_width);
    paint::left(buf, line, &" ".repeat(usize::from(line.width)), theme.input);
    // The line scrolls so that the cursor is always on the screen.
    let before = text::clean(typing.editor.before());
    let room = usize::from(line.width.saturating_sub(1));
    let shown = if text::width(&before) > room { text::fit_end(&before, room) } else { before.into_owned() };
    let taken = paint::left(buf, line, &shown, theme.input);
    paint::left(buf, paint::skip(line, taken), typing.editor.behind(), theme.input);
    Position { x: line.x + taken.min(line.width.saturating_sub(1)), y: line.y }
}
