//! The line that says that what is shown is old, and how old.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::paint;
use crate::format::number;
use crate::model::Model;
use crate::model::link::Trouble;
use crate::theme::Theme;

/// Draws it, if there is something to say.
pub fn draw(buf: &mut Buffer, area: Rect, model: &Model, theme: &Theme) {
    let Some(trouble) = model.link.trouble(model.clock) else { return };
    let address = &model.address;
    let (what, state) = match trouble {
        Trouble::NeverConnected { error } => {
            (format!("No broker at {address}: {error}"), "trying again".to_owned())
        }
        Trouble::Lost { age, error } => {
            (format!("Offline: {error}"), format!("data is {} old, reconnecting", number::age(age)))
        }
        Trouble::Silent { age } => {
            ("The broker says nothing".to_owned(), format!("data is {} old", number::age(age)))
        }
    };
    paint::left(buf, area, &" ".repeat(usize::from(area.width)), theme.banner);
    let state_area = Rect { width: area.width - 1, ..area };
    let taken = paint::right(buf, state_area, &state, theme.banner);
    let rest = Rect { width: area.width.saturating_sub(taken + 4), ..paint::skip(area, 1) };
    paint::left(buf, rest, &format!("▲ {what}"), theme.banner);
}
