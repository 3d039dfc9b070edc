//! The first line: the name, the tabs, the state of the connection.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::paint;
use crate::format::{number, text};
use crate::model::link::LinkState;
use crate::model::{Model, ViewName};
use crate::theme::Theme;

/// Draws it.
pub fn draw(buf: &mut Buffer, area: Rect, model: &Model, theme: &Theme) {
    let (mark, word, style) = match &model.link.state {
        LinkState::Connecting => ("◌", "connecting", theme.warn),
        LinkState::Live { .. } if model.has_banner() => ("◌", "silent", theme.warn),
        LinkState::Live { .. } => ("●", "live", theme.good),
        LinkState::Lost { .. } => ("✗", "offline", theme.bad),
    };
    let mut rest = paint::skip(area, 1);
    let roomy = area.width >= 72;
    if roomy {
        let brand = if area.width >= 100 { "◆ broker  " } else { "◆ " };
        rest = paint::skip(rest, paint::left(buf, rest, brand, theme.brand));
    }
    for (number, view) in (1..).zip(ViewName::ALL) {
        let active = view == model.view;
        let label =
            if active || roomy { format!(" {number} {} ", view.title()) } else { format!(" {number} ") };
        let taken = paint::left(buf, rest, &label, if active { theme.tab } else { theme.dim });
        rest = paint::skip(rest, taken);
    }
    let end = Rect { width: rest.width.saturating_sub(1), ..rest };
    let state = format!("{mark} {word}");
    // As much as there is room for.
    let texts = [about(model), format!(" · {}", model.address), String::new()]
        .map(|text| text::clean(&text).into_owned());
    let fits = |text: &&String| text::width(text) + text::width(&state) < usize::from(end.width);
    if let Some(text) = texts.iter().find(fits) {
        let taken = paint::right(buf, end, text, theme.dim);
        paint::right(buf, Rect { width: end.width - taken, ..end }, &state, style);
    }
}

/// All there is to say: the address, what the broker is and how long it has been up.
fn about(model: &Model) -> String {
    let mut parts = vec![String::new(), model.address.clone()];
    parts.extend(model.server.as_ref().map(|server| format!("{} {}", server.server, server.version)));
    let uptime = model.metrics.last("uptime").filter(|seconds| *seconds >= 0.0);
    parts.extend(
        uptime.and_then(|s| Duration::try_from_secs_f64(s).ok()).map(|up| format!("up {}", number::age(up))),
    );
    parts.join(" · ")
}
