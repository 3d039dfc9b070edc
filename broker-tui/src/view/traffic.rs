//! The tap: the newest messages, the payload of the selected one, and an account of those that are not there.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::paint;
use super::table::{self, Column};
use super::topics;
use crate::format::{number, payload, value};
use crate::layout;
use crate::message::Seen;
use crate::model::Model;
use crate::model::traffic::Line;
use crate::theme::Theme;

const COLUMNS: &[Column] =
    &[table::text("TIME", 12), table::flexible("TOPIC", 3), table::flexible("VALUE", 2)];
const COLUMNS_WIDE: &[Column] = &[
    table::text("TIME", 12),
    table::flexible("TOPIC", 1),
    table::figure("SIZE", 8),
    table::flexible("VALUE", 1),
];
const COLUMNS_NARROW: &[Column] = &[table::flexible("TOPIC", 1), table::flexible("VALUE", 1)];

/// Draws it.
pub fn draw(buf: &mut Buffer, body: Rect, model: &Model, theme: &Theme) {
    let parts = layout::traffic(body, model.traffic.detail);
    if parts.list.height > 0 {
        list(buf, parts.list, parts.page(), model, theme);
    }
    if let Some(area) = parts.pane {
        pane(buf, area, model, theme);
    }
}

fn list(buf: &mut Buffer, area: Rect, page: usize, model: &Model, theme: &Theme) {
    let traffic = &model.traffic;
    let frame = if traffic.frozen { theme.warn } else { theme.frame };
    let inner = paint::frame(buf, area, frame);
    let (state, style) = state(model, theme);
    let edge = paint::edge(area, false);
    let rest = paint::title_right(buf, edge, &state, style);
    let rest = paint::title(buf, rest, "Traffic", theme.title);
    paint::title(buf, rest, &traffic.pattern, theme.accent);
    account(buf, paint::edge(area, true), model, theme);
    if traffic.lines().is_empty() {
        empty(buf, inner, model, theme);
        return;
    }
    let columns = match inner.width {
        0..60 => COLUMNS_NARROW,
        60..90 => COLUMNS,
        _ => COLUMNS_WIDE,
    };
    let list = table::List { frame: area, inner, columns, sorted_by: "", page };
    list.draw(buf, theme, &traffic.cursor, traffic.lines().iter(), |buf, place, column, line| {
        cell(buf, place, column, &line.seen, theme);
    });
}

fn state(model: &Model, theme: &Theme) -> (String, ratatui::style::Style) {
    let traffic = &model.traffic;
    if traffic.frozen {
        let held_back = number::exact(traffic.held_back);
        return (format!("‖ frozen · {held_back} not shown"), theme.warn);
    }
    let rate = number::known(traffic.arrivals.last(), number::per_second);
    if traffic.follow {
        (format!("▶ {rate}"), theme.good)
    } else {
        (format!("▷ {rate} · End follows"), theme.accent)
    }
}

/// What became of all messages of the tap.
fn account(buf: &mut Buffer, edge: Rect, model: &Model, theme: &Theme) {
    let traffic = &model.traffic;
    if traffic.received == 0 && traffic.missed == 0 {
        return;
    }
    let mut rest =
        paint::title(buf, edge, &format!("{} received", number::exact(traffic.received)), theme.dim);
    if traffic.dropped > 0 {
        let text = format!("▲ {} dropped by this viewer", number::exact(traffic.dropped));
        rest = paint::title(buf, rest, &text, theme.warn);
    }
    if traffic.missed > 0 {
        paint::title(buf, rest, &format!("▲ {} missed", number::exact(traffic.missed)), theme.bad);
    }
}

fn cell(buf: &mut Buffer, place: Rect, column: &Column, seen: &Seen, theme: &Theme) {
    match column.title {
        "TIME" => {
            let time = number::known(seen.time_ms, number::time_of_day);
            paint::left(buf, place, &time, theme.dim);
        }
        "TOPIC" => {
            // A retained message is not something that just happened.
            let style = if seen.retained { theme.dim } else { theme.accent };
            let mark = if seen.retained { "○ " } else { "" };
            let taken = paint::left(buf, place, mark, style);
            paint::left_end(buf, paint::skip(place, taken), &seen.topic, style);
        }
        "SIZE" => _ = paint::right(buf, place, &bytes(seen.size), theme.dim),
        _ => paint::pieces(buf, place, &value::line(&seen.value, usize::from(place.width) + 1), theme),
    }
}

fn empty(buf: &mut Buffer, area: Rect, model: &Model, theme: &Theme) {
    let traffic = &model.traffic;
    if let Some(error) = &traffic.refused {
        let lines = [
            ("The broker refused this pattern:", theme.bad),
            (error.as_str(), theme.text),
            ("/ edits it.", theme.dim),
        ];
        paint::notice(buf, area, &lines);
    } else if traffic.frozen {
        paint::notice(buf, area, &[("Frozen. Space lets it go on.", theme.warn)]);
    } else {
        let what = format!("Nothing on {} yet. Publish something:", traffic.pattern);
        topics::publish_hint(buf, area, &what, model, theme);
    }
}

fn pane(buf: &mut Buffer, area: Rect, model: &Model, theme: &Theme) {
    let inner = paint::frame(buf, area, theme.frame);
    let edge = paint::title(buf, paint::edge(area, false), "Payload", theme.title);
    paint::title(buf, edge, model.format.name(), theme.accent);
    let Some(line) = model.traffic.selected() else {
        paint::notice(buf, inner, &[("Select a message to see the whole of it.", theme.dim)]);
        return;
    };
    about(buf, inner, line, theme);
    let room = paint::below(inner, number::cells(layout::MESSAGE_LINES));
    let lines = payload::lines(&line.seen.value, model.format, usize::from(room.width));
    let page = usize::from(room.height);
    let offset = model.traffic.payload_offset.min(lines.len().saturating_sub(page));
    for (row, line) in paint::rows(room).zip(lines.iter().skip(offset)) {
        paint::pieces(buf, row, line, theme);
    }
    if line.seen.value.len() < line.seen.size {
        let text = format!("the first {} of {}", bytes(line.seen.value.len()), bytes(line.seen.size));
        paint::title(buf, paint::edge(area, true), &text, theme.warn);
    } else if lines.len() > page {
        let text = format!("lines {}-{} of {}", offset + 1, (offset + page).min(lines.len()), lines.len());
        paint::title_right(buf, paint::edge(area, true), &text, theme.dim);
    }
    if model.traffic.detail {
        paint::scrollbar(buf, area, offset, page, lines.len(), theme.dim);
    }
}

fn bytes(n: usize) -> String {
    number::bytes_of(n as u64)
}

/// Topic and facts of a message; what it was published with.
fn about(buf: &mut Buffer, area: Rect, line: &Line, theme: &Theme) {
    let seen = &line.seen;
    paint::left_end(buf, area, &seen.topic, theme.accent);
    let mut facts = vec![format!("#{}", line.number), bytes(seen.size)];
    facts.extend(seen.time_ms.map(|time| format!("{} UTC", number::time_of_day(time))));
    if seen.retained {
        facts.push("○ retained".to_owned());
    }
    facts.extend(seen.reply.as_ref().map(|reply| format!("reply to {reply}")));
    facts.extend(seen.key.as_ref().map(|key| format!("key {}", String::from_utf8_lossy(key))));
    facts.extend(seen.headers.iter().map(|(name, value)| format!("{name}: {value}")));
    paint::left(buf, paint::below(area, 1), &facts.join(" · "), theme.dim);
    paint::left(buf, paint::below(area, 2), &"─".repeat(usize::from(area.width)), theme.frame);
}
