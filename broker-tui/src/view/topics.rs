//! The tree of topics, and the topic that is selected.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::chart::{self, Scale};
use super::overview::{rate_bars, rate_text};
use super::paint;
use super::table::{self, Column};
use crate::format::{number, payload, value};
use crate::layout;
use crate::model::Model;
use crate::model::topic::Topic;
use crate::model::topics::Watched;
use crate::model::tree::{LineKind, TreeLine};
use crate::theme::Theme;

const COLUMNS: &[Column] = &[
    table::flexible("TOPIC", 1),
    table::figure("RATE", 7),
    table::figure("SIZE", 8),
    table::figure("AGE", 7),
    table::text("VALUE", 18),
];
const COLUMNS_WIDE: &[Column] = &[
    table::flexible("TOPIC", 1),
    table::figure("RATE", 8),
    table::figure("MESSAGES", 11),
    table::figure("SIZE", 9),
    table::figure("AGE", 8),
    table::flexible("VALUE", 1),
];
const COLUMNS_NARROW: &[Column] =
    &[table::flexible("TOPIC", 1), table::figure("RATE", 7), table::figure("AGE", 6)];

/// Draws it.
pub fn draw(buf: &mut Buffer, body: Rect, model: &Model, theme: &Theme) {
    let parts = layout::topics(body, model.topics.detail);
    list(buf, parts.list, parts.page(), model, theme);
    if let Some(area) = parts.pane {
        pane(buf, area, model, theme);
    }
}

fn list(buf: &mut Buffer, area: Rect, page: usize, model: &Model, theme: &Theme) {
    let topics = &model.topics;
    let (inner, edge) = paint::list_frame(buf, area, "Topics", &topics.filter, theme);
    paint::title_right(buf, edge, &count(model), theme.dim);
    if topics.lines().is_empty() {
        empty(buf, inner, model, theme);
        return;
    }
    let columns = match inner.width {
        0..60 => COLUMNS_NARROW,
        60..90 => COLUMNS,
        _ => COLUMNS_WIDE,
    };
    let list = table::List { frame: area, inner, columns, sorted_by: topics.sort.name(), page };
    list.draw(buf, theme, &topics.cursor, topics.lines().iter(), |buf, place, column, line| {
        cell(buf, place, column, line, model, theme);
    });
    if topics.rows().iter().all(Topic::is_system) {
        let rest = paint::below(inner, number::cells(topics.lines().len() + 1));
        publish_hint(buf, rest, "No topics but the broker's own yet. Publish something:", model, theme);
    }
}

fn count(model: &Model) -> String {
    let (told, Some(total)) = (model.topics.rows().len() as u64, model.topics.total) else {
        return String::new();
    };
    if told < total {
        format!("the newest {} of {}", number::exact(told), number::exact(total))
    } else {
        format!("{} topics · by {}", number::exact(total), model.topics.sort.name())
    }
}

fn cell(buf: &mut Buffer, place: Rect, column: &Column, line: &TreeLine, model: &Model, theme: &Theme) {
    let topic = match line.kind {
        LineKind::Topic(row) => model.topics.rows().get(row),
        LineKind::Group { .. } => None,
    };
    let group = topic.is_none();
    let quiet = if group { theme.dim } else { theme.text };
    match column.title {
        "TOPIC" => name(buf, place, line, theme),
        "RATE" => {
            let style =
                if line.sum.rate.is_some_and(|rate| rate > 0.0) { theme.ramp_in.top() } else { theme.dim };
            paint::right(buf, place, &rate_text(line.sum.rate), style);
        }
        "MESSAGES" => _ = paint::right(buf, place, &number::exact(line.sum.messages), quiet),
        "SIZE" => _ = paint::right(buf, place, &number::bytes_of(line.sum.size), quiet),
        "AGE" => {
            let age = topic
                .map_or_else(|| model.clock.up.saturating_sub(line.sum.newest), |t| t.age(model.clock.up));
            paint::right(buf, place, &number::age_short(age), quiet);
        }
        _ => match topic {
            Some(topic) => last_value(buf, place, topic, model, theme),
            None => _ = paint::left(buf, place, &topics_text(line.sum.topics), theme.dim),
        },
    }
}

fn name(buf: &mut Buffer, place: Rect, line: &TreeLine, theme: &Theme) {
    let indent = u16::try_from(line.depth * 2).unwrap_or(u16::MAX);
    let place = paint::skip(place, indent.min(place.width.saturating_sub(8)));
    match line.kind {
        LineKind::Group { open } => {
            let taken = paint::left(buf, place, if open { "▾ " } else { "▸ " }, theme.accent);
            paint::left(buf, paint::skip(place, taken), &line.label, theme.accent);
        }
        LineKind::Topic(_) => _ = paint::left(buf, paint::skip(place, 2), &line.label, theme.text),
    }
}

fn topics_text(count: usize) -> String {
    if count == 1 { "1 topic".to_owned() } else { format!("{} topics", number::exact(count as u64)) }
}

/// What the subscription to the selected topic brought, else what the table says.
fn last_value(buf: &mut Buffer, place: Rect, topic: &Topic, model: &Model, theme: &Theme) {
    let watched = model.topics.watched.as_ref().filter(|watched| watched.topic == topic.row.topic);
    let live = watched.and_then(|watched| watched.newest.as_ref()).map(|seen| seen.value.as_slice());
    match live.or(topic.row.value.as_deref()) {
        Some(value) => paint::pieces(buf, place, &value::line(value, usize::from(place.width) + 1), theme),
        None => _ = paint::left(buf, place, "longer than told", theme.dim),
    }
}

fn empty(buf: &mut Buffer, area: Rect, model: &Model, theme: &Theme) {
    let topics = &model.topics;
    if topics.total.is_none() {
        paint::notice(buf, area, &[("Waiting for the broker to tell its topics …", theme.dim)]);
    } else if topics.rows().is_empty() {
        publish_hint(buf, area, "No topics yet. Publish something:", model, theme);
    } else {
        paint::notice(
            buf,
            area,
            &[("No topic contains this.", theme.text), ("Esc drops the filter.", theme.dim)],
        );
    }
}

/// What to do where nothing is published.
pub(super) fn publish_hint(buf: &mut Buffer, area: Rect, what: &str, model: &Model, theme: &Theme) {
    let command = format!("broker pub hello '\"world\"' --addr {}", model.address);
    paint::notice(buf, area, &[(what, theme.text), ("", theme.text), (&command, theme.key)]);
}

fn pane(buf: &mut Buffer, area: Rect, model: &Model, theme: &Theme) {
    let inner = paint::frame(buf, area, theme.frame);
    let edge = paint::edge(area, false);
    let Some(line) = model.topics.selected() else {
        paint::title(buf, edge, "Nothing selected", theme.dim);
        return;
    };
    let right = Rect { width: edge.width.saturating_sub(8), ..edge };
    let title = crate::format::text::fit_end(&line.id.path, usize::from(right.width.saturating_sub(2)));
    let rest = paint::title(buf, edge, &title, theme.title);
    match (model.topics.selected_topic(), &model.topics.watched) {
        (Some(topic), Some(watched)) => {
            paint::title_right(buf, rest, model.format.name(), theme.dim);
            topic_pane(buf, inner, topic, watched, model, theme);
        }
        _ => group_pane(buf, inner, line, model, theme),
    }
}

fn group_pane(buf: &mut Buffer, area: Rect, line: &TreeLine, model: &Model, theme: &Theme) {
    let sum = &line.sum;
    let texts = [
        ("topics", number::exact(sum.topics as u64)),
        ("rate", number::known(sum.rate, number::per_second)),
        ("messages", number::exact(sum.messages)),
        ("values", number::bytes_of(sum.size)),
    ];
    let taken = if area.height >= 12 {
        paint::facts(buf, area, &texts, theme) + 1
    } else {
        let text: Vec<String> = texts.iter().map(|(name, text)| format!("{name} {text}")).collect();
        paint::left(buf, area, &text.join(" · "), theme.dim);
        1
    };
    let rest = paint::below(area, taken);
    let busiest = model.topics.busiest(&line.id.path, usize::from(rest.height.saturating_sub(1)));
    rate_bars(buf, rest, &busiest, line.id.path.len(), theme);
}

fn topic_pane(buf: &mut Buffer, area: Rect, topic: &Topic, watched: &Watched, model: &Model, theme: &Theme) {
    let age = number::age(topic.age(model.clock.up));
    let size = number::bytes_of(topic.row.size);
    let rate = number::known(topic.rate(), number::per_second);
    let bytes = number::known(topic.bytes_rate(), number::bytes_per_second);
    let messages = number::exact(topic.row.messages);
    let taken = if area.height >= 16 {
        let texts = [
            ("rate", format!("{rate}  ·  {bytes}")),
            ("messages", messages),
            ("size", size),
            ("age", age),
            ("seen here", format!("{} since it was selected", number::exact(watched.received))),
        ];
        paint::facts(buf, area, &texts, theme) + 1
    } else {
        let text = format!("{rate} · {messages} messages · {size} · {age} ago");
        paint::left(buf, area, &text, theme.dim);
        1
    };
    let mut rest = paint::below(area, taken);
    if watched.numbers.len() >= 2 && rest.height >= 4 {
        let rows = numbers(buf, rest, watched, theme);
        rest = paint::below(rest, rows);
    }
    let live = watched.newest.as_ref().map(|seen| seen.value.as_slice());
    let Some(value) = live.or(topic.row.value.as_deref()) else {
        paint::left(
            buf,
            rest,
            "Waiting for its next message: the broker does not tell a value this long.",
            theme.dim,
        );
        return;
    };
    for (row, line) in paint::rows(rest).zip(payload::lines(value, model.format, usize::from(rest.width))) {
        paint::pieces(buf, row, &line, theme);
    }
}

/// The last numbers of the topic as a chart; gives the rows taken.
fn numbers(buf: &mut Buffer, area: Rect, watched: &Watched, theme: &Theme) -> u16 {
    let rows = if area.height >= 12 { 5 } else { 2 };
    let columns = watched.numbers.columns(usize::from(area.width));
    let (low, high) = chart::ends(&columns);
    let area = Rect { height: rows, ..area };
    chart::draw(buf, area, &columns, Scale::around(&columns), theme.ramp_level, Style::new());
    if rows < 5 {
        return rows;
    }
    let key = watched.numbers_key.as_deref().unwrap_or("value");
    let text = format!("{key}: {} … {} in the last {}", short(low), short(high), watched.numbers.len());
    let caption = paint::below(Rect { height: rows + 1, ..area }, rows);
    paint::left(buf, caption, &text, theme.dim);
    rows + 2
}

/// A reading with as many digits as it needs, three behind the point at most.
fn short(value: f64) -> String {
    let text = format!("{value:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text.is_empty() || text == "-0" { "0".to_owned() } else { text.to_owned() }
}
