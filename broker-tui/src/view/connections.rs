//! Who is connected, and who is slow.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::overview::rate_text;
use super::paint;
use super::table::{self, Column};
use crate::format::number;
use crate::layout;
use crate::model::Model;
use crate::model::connections::Connection;
use crate::theme::Theme;

/// Bytes in a queue from which on it is worth a look: the figures of each second alone make about one KiB. A guess.
const QUEUE_WARN: u64 = 64 * 1024;

/// For how long it is shown that a connection has recovered.
const RECOVERED: Duration = Duration::from_mins(1);

const COLUMNS_NARROW: &[Column] = &[
    table::flexible("NAME", 1),
    table::figure("IN/s", 7),
    table::figure("OUT/s", 7),
    table::figure("LAG", 6),
];
const COLUMNS: &[Column] = &[
    table::text("ADDRESS", 20),
    table::flexible("NAME", 1),
    table::figure("IN/s", 7),
    table::figure("OUT/s", 7),
    table::figure("QUEUE", 8),
    table::figure("LAG", 7),
];
const COLUMNS_ROOMY: &[Column] = &[
    table::text("ADDRESS", 22),
    table::flexible("NAME", 1),
    table::figure("AGE", 6),
    table::figure("SUBS", 6),
    table::figure("IN/s", 7),
    table::figure("OUT/s", 7),
    table::figure("QUEUE", 9),
    table::figure("LAG", 8),
];
const COLUMNS_WIDE: &[Column] = &[
    table::text("ADDRESS", 24),
    table::flexible("NAME", 1),
    table::text("PROTOCOL", 9),
    table::figure("AGE", 7),
    table::figure("SUBS", 7),
    table::figure("IN/s", 8),
    table::figure("OUT/s", 8),
    table::figure("BYTES IN/s", 12),
    table::figure("BYTES OUT/s", 12),
    table::figure("QUEUE", 10),
    table::figure("LAG", 9),
];

const COLUMNS_WIDEST: &[Column] = &[
    table::text("ADDRESS", 24),
    table::flexible("NAME", 1),
    table::text("SLOW", 22),
    table::text("PROTOCOL", 9),
    table::figure("AGE", 7),
    table::figure("SUBS", 7),
    table::figure("IN/s", 8),
    table::figure("OUT/s", 8),
    table::figure("BYTES IN/s", 12),
    table::figure("BYTES OUT/s", 12),
    table::figure("QUEUE", 10),
    table::figure("LAG", 9),
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
    let connections = &model.connections;
    let (inner, mut edge) = paint::list_frame(buf, area, "Connections", &connections.filter, theme);
    if connections.slow_count() > 0 {
        edge = paint::title(buf, edge, &format!("▲ {} slow", connections.slow_count()), theme.bad);
    }
    paint::title_right(buf, edge, &count(model), theme.dim);
    let shown = connections.list.shown();
    if shown.len() == 0 {
        empty(buf, inner, model, theme);
        return;
    }
    let columns = match inner.width {
        0..70 => COLUMNS_NARROW,
        70..100 => COLUMNS,
        100..140 => COLUMNS_ROOMY,
        140..165 => COLUMNS_WIDE,
        _ => COLUMNS_WIDEST,
    };
    let has = |title| columns.iter().any(|column| column.title == title);
    let stand_in = StandIn { address: !has("ADDRESS"), slow: !has("SLOW") };
    let list = table::List { frame: area, inner, columns, sorted_by: connections.sort.name(), page };
    list.draw(buf, theme, &connections.list.cursor, shown, |buf, place, column, connection| {
        let (text, style) = cell(column, connection, stand_in, model, theme);
        table::cell(buf, place, column, &text, style);
    });
}

fn count(model: &Model) -> String {
    let (told, Some(total)) = (model.connections.list.rows().len() as u64, model.connections.total) else {
        return String::new();
    };
    if told < total {
        format!("{} of {}, those with the most messages", number::exact(told), number::exact(total))
    } else {
        format!("{} connected · by {}", number::exact(total), model.connections.sort.name())
    }
}

/// What has no column of its own, and so stands in for something else.
#[derive(Clone, Copy)]
struct StandIn {
    address: bool,
    slow: bool,
}

fn cell(
    column: &Column,
    connection: &Connection,
    stand_in: StandIn,
    model: &Model,
    theme: &Theme,
) -> (String, Style) {
    let row = &connection.row;
    let bytes = |rate: Option<f64>| number::known(rate, number::bytes);
    // A slow connection without a name would have neither name nor address.
    let moved = stand_in.slow && !stand_in.address && row.slow;
    match column.title {
        "ADDRESS" if moved => (format!("▲ slow: {}", row.policy), theme.bad),
        "ADDRESS" => (row.address.clone(), theme.text),
        "NAME" if stand_in.address && row.slow => {
            (format!("▲ {}", name(connection, model, theme).0), theme.bad)
        }
        "NAME" if stand_in.address || moved => name(connection, model, theme),
        "NAME" => match &row.name {
            None if model.link.session != Some(row.id) => ("–".to_owned(), theme.dim),
            _ => name(connection, model, theme),
        },
        "SLOW" => slow(connection, model, theme),
        "PROTOCOL" => (row.protocol.clone(), theme.dim),
        "AGE" => (number::age_short(connection.age(model.clock.up)), theme.dim),
        "SUBS" => (number::count_of(row.subscriptions), theme.dim),
        "IN/s" => {
            (rate_text(connection.messages_in()), busy(connection.messages_in(), theme.ramp_in.top(), theme))
        }
        "OUT/s" => (
            rate_text(connection.messages_out()),
            busy(connection.messages_out(), theme.ramp_out.top(), theme),
        ),
        "BYTES IN/s" => (bytes(connection.bytes_in()), theme.dim),
        "BYTES OUT/s" => (bytes(connection.bytes_out()), theme.dim),
        "QUEUE" => {
            let style = if row.queue_bytes >= QUEUE_WARN { theme.warn } else { theme.dim };
            (number::bytes_of(row.queue_bytes), style)
        }
        _ => lag(connection, theme),
    }
}

fn busy(rate: Option<f64>, style: Style, theme: &Theme) -> Style {
    if rate.is_some_and(|rate| rate > 0.0) { style } else { theme.dim }
}

/// The name of a connection, else its address; this dashboard says that it is one.
pub(super) fn name(connection: &Connection, model: &Model, theme: &Theme) -> (String, Style) {
    let own = model.link.session == Some(connection.row.id);
    match &connection.row.name {
        Some(name) if own => (format!("{name} (this)"), theme.accent),
        Some(name) => (name.clone(), theme.text),
        None if own => ("(this)".to_owned(), theme.accent),
        None => (connection.row.address.clone(), theme.dim),
    }
}

/// Under which policy a connection is slow and how much it missed by that, or that it has recovered.
fn slow(connection: &Connection, model: &Model, theme: &Theme) -> (String, Style) {
    let row = &connection.row;
    if row.slow {
        return (format!("▲ {} {}", row.policy, number::count_of(row.missed)), theme.bad);
    }
    match model.connections.recovery(connection, model.clock.up) {
        Some((ago, _)) if ago < RECOVERED => {
            (format!("✓ recovered {}", number::age_short(Duration::from_secs(ago.as_secs()))), theme.good)
        }
        _ => ("–".to_owned(), theme.dim),
    }
}

/// The same in more words.
fn slow_fact(connection: &Connection, model: &Model) -> String {
    let row = &connection.row;
    if row.slow {
        let time = number::age(Duration::from_millis(row.slow_ms));
        let missed = number::exact(row.missed);
        return format!("▲ {missed} missed, {} for {time}, {}", row.policy, row.pattern);
    }
    match model.connections.recovery(connection, model.clock.up) {
        Some((ago, news)) => {
            let (ago, missed) = (number::age(ago), number::exact(news.missed));
            format!("✓ recovered {ago} ago, {missed} missed, {}", news.policy)
        }
        None => "no".to_owned(),
    }
}

/// Messages that a connection missed, and those that it did not want.
pub(super) fn lag_text(lagged: u64, thinned: u64) -> String {
    match thinned {
        0 => format!("{} messages", number::exact(lagged)),
        _ => format!("{} messages, {} thinned out", number::exact(lagged), number::exact(thinned)),
    }
}

/// Messages that a connection missed: marked while it misses more, or has not caught up.
pub(super) fn lag(connection: &Connection, theme: &Theme) -> (String, Style) {
    let text = number::count_of(connection.row.lagged);
    match connection.row.lagged {
        _ if connection.lags_now() || connection.row.slow => (format!("▲{text}"), theme.bad),
        0 => (text, theme.dim),
        _ => (text, theme.warn),
    }
}

fn empty(buf: &mut Buffer, area: Rect, model: &Model, theme: &Theme) {
    if model.connections.total.is_none() {
        paint::notice(buf, area, &[("Waiting for the broker to tell its connections …", theme.dim)]);
    } else if model.connections.list.rows().is_empty() {
        let command = format!("broker sub '*' --addr {}", model.address);
        paint::notice(buf, area, &[("Nobody is connected. Connect:", theme.text), (&command, theme.key)]);
    } else {
        let lines = [("No address or name contains this.", theme.text), ("Esc drops the filter.", theme.dim)];
        paint::notice(buf, area, &lines);
    }
}

fn pane(buf: &mut Buffer, area: Rect, model: &Model, theme: &Theme) {
    let inner = paint::frame(buf, area, theme.frame);
    let edge = paint::edge(area, false);
    let Some(connection) = model.connections.list.selected() else {
        paint::title(buf, edge, "Nothing selected", theme.dim);
        return;
    };
    let row = &connection.row;
    let (title, _) = name(connection, model, theme);
    paint::title(buf, edge, &title, theme.title);
    let rate = |rate: Option<f64>| number::known(rate, number::per_second);
    let bytes = |rate: Option<f64>| number::known(rate, number::bytes_per_second);
    let left = [
        ("session", number::exact(row.id)),
        ("address", row.address.clone()),
        ("protocol", row.protocol.clone()),
        ("connected", format!("{} ago", number::age(connection.age(model.clock.up)))),
        ("subscriptions", number::exact(row.subscriptions)),
        ("queue", number::bytes_of(row.queue_bytes)),
    ];
    let right = [
        ("messages in", format!("{}  {}", number::exact(row.messages_in), rate(connection.messages_in()))),
        ("messages out", format!("{}  {}", number::exact(row.messages_out), rate(connection.messages_out()))),
        ("bytes in", format!("{}  {}", number::bytes_of(row.bytes_in), bytes(connection.bytes_in()))),
        ("bytes out", format!("{}  {}", number::bytes_of(row.bytes_out), bytes(connection.bytes_out()))),
        ("lag", lag_text(row.lagged, row.thinned)),
        ("slow", slow_fact(connection, model)),
    ];
    paint::facts_in_two(buf, inner, &left, &right, theme);
}
