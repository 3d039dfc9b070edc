//! Who was connected, and why that ended.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::paint;
use super::table::{self, Column};
use crate::format::number;
use crate::layout;
use crate::message::ClosedRow;
use crate::model::Model;
use crate::theme::Theme;

/// Reasons that nobody has to look into.
const ORDINARY: [&str; 3] = ["closed", "disconnected", "shutting-down"];

const COLUMNS_NARROW: &[Column] =
    &[table::flexible("NAME", 1), table::text("REASON", 14), table::figure("AGO", 6)];
const COLUMNS: &[Column] = &[
    table::text("ADDRESS", 20),
    table::flexible("NAME", 1),
    table::text("REASON", 18),
    table::figure("AGO", 6),
    table::figure("MISSED", 7),
];
const COLUMNS_WIDE: &[Column] = &[
    table::text("ADDRESS", 24),
    table::flexible("NAME", 1),
    table::text("PROTOCOL", 9),
    table::text("REASON", 20),
    table::figure("AGO", 7),
    table::figure("LASTED", 7),
    table::figure("IN", 8),
    table::figure("OUT", 8),
    table::figure("BYTES IN", 10),
    table::figure("BYTES OUT", 10),
    table::figure("MISSED", 8),
];

/// Draws it.
pub fn draw(buf: &mut Buffer, body: Rect, model: &Model, theme: &Theme) {
    let parts = layout::connections(body, model.connections.detail);
    list(buf, parts.list, parts.page(), model, theme);
    if let Some(area) = parts.pane {
        pane(buf, area, model, theme);
    }
}

fn list(buf: &mut Buffer, area: Rect, page: usize, model: &Model, theme: &Theme) {
    let (connections, closed) = (&model.connections, &model.connections.closed);
    let (inner, edge) = paint::list_frame(buf, area, "Closed connections", &connections.filter, theme);
    paint::title_right(buf, edge, &count(model), theme.dim);
    let shown = closed.list.shown();
    if shown.len() == 0 {
        empty(buf, inner, model, theme);
        return;
    }
    let columns = match inner.width {
        0..70 => COLUMNS_NARROW,
        70..130 => COLUMNS,
        _ => COLUMNS_WIDE,
    };
    let list = table::List { frame: area, inner, columns, sorted_by: closed.sort.name(), page };
    list.draw(buf, theme, &closed.list.cursor, shown, |buf, place, column, session| {
        let (text, style) = cell(column, session, model, theme);
        table::cell(buf, place, column, &text, style);
    });
}

fn count(model: &Model) -> String {
    let (told, Some(total)) =
        (model.connections.closed.list.rows().len() as u64, model.connections.closed.total)
    else {
        return String::new();
    };
    if told < total {
        format!("the last {} of {}", number::exact(told), number::exact(total))
    } else {
        format!("{} since the start", number::exact(total))
    }
}

fn cell(column: &Column, row: &ClosedRow, model: &Model, theme: &Theme) -> (String, Style) {
    let count = |count: u64| (number::count_of(count), theme.dim);
    match column.title {
        "ADDRESS" => (row.address.clone(), theme.text),
        "NAME" => match &row.name {
            Some(name) => (name.clone(), theme.text),
            None => ("–".to_owned(), theme.dim),
        },
        "PROTOCOL" => (row.protocol.clone(), theme.dim),
        "REASON" => reason(row, theme),
        "AGO" => (ago(row, model, number::age_short), theme.dim),
        "LASTED" => (number::age_short(Duration::from_millis(row.age_ms)), theme.dim),
        "IN" => count(row.messages_in),
        "OUT" => count(row.messages_out),
        "BYTES IN" => (number::bytes_of(row.bytes_in), theme.dim),
        "BYTES OUT" => (number::bytes_of(row.bytes_out), theme.dim),
        _ => match row.missed() {
            0 => count(0),
            missed => (number::count_of(missed), theme.warn),
        },
    }
}

fn reason(row: &ClosedRow, theme: &Theme) -> (String, Style) {
    if ORDINARY.contains(&row.reason.as_str()) {
        (row.reason.clone(), theme.dim)
    } else {
        (format!("▲ {}", row.reason), theme.warn)
    }
}

fn ago(row: &ClosedRow, model: &Model, text: impl Fn(Duration) -> String) -> String {
    number::known(model.connections.closed.ago(row, model.clock.up), text)
}

fn empty(buf: &mut Buffer, area: Rect, model: &Model, theme: &Theme) {
    if model.connections.closed.total.is_none() {
        paint::notice(buf, area, &[("Waiting for the broker to tell its closed connections …", theme.dim)]);
    } else if model.connections.closed.list.rows().is_empty() {
        paint::notice(buf, area, &[("No connection was closed yet.", theme.text)]);
    } else {
        let lines =
            [("No address, name or reason contains this.", theme.text), ("Esc drops the filter.", theme.dim)];
        paint::notice(buf, area, &lines);
    }
}

fn pane(buf: &mut Buffer, area: Rect, model: &Model, theme: &Theme) {
    let inner = paint::frame(buf, area, theme.frame);
    let edge = paint::edge(area, false);
    let Some(row) = model.connections.closed.list.selected() else {
        paint::title(buf, edge, "Nothing selected", theme.dim);
        return;
    };
    let rest = paint::title(buf, edge, row.name.as_deref().unwrap_or(&row.address), theme.title);
    paint::title_right(buf, rest, &row.detail, theme.dim);
    let lasted = number::age_short(Duration::from_millis(row.age_ms));
    let ago = ago(row, model, |ago| format!("{} ago", number::age_short(ago)));
    let left = [
        ("reason", row.reason.clone()),
        ("session", number::exact(row.id)),
        ("address", row.address.clone()),
        ("protocol", row.protocol.clone()),
        ("closed", format!("{ago}, after {lasted}")),
        ("subscriptions", number::exact(row.subscriptions)),
    ];
    let right = [
        ("messages in", number::exact(row.messages_in)),
        ("messages out", number::exact(row.messages_out)),
        ("bytes in", number::bytes_of(row.bytes_in)),
        ("bytes out", number::bytes_of(row.bytes_out)),
        ("lag", super::connections::lag_text(row.lagged, row.thinned)),
        ("lost", format!("{} waited at the end", number::exact(row.lost))),
    ];
    paint::facts_in_two(buf, inner, &left, &right, theme);
}
