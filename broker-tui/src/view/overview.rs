//! The broker as a whole: a card for each figure, with its past.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::chart::{self, Scale};
use super::table::{self, Column};
use super::{connections, paint};
use crate::format::{number, text};
use crate::layout;
use crate::model::Model;
use crate::model::topic::Topic;
use crate::theme::{Ramp, Theme};

/// How a figure is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A number of things.
    Count,
    /// Things a second.
    Rate,
    /// Bytes.
    Bytes,
    /// Bytes a second.
    BytesRate,
    /// Percent of one core.
    Percent,
}

impl Unit {
    /// The figure as text.
    pub fn text(self, value: f64) -> String {
        match self {
            Self::Count => number::count(value),
            Self::Rate => number::per_second(value),
            Self::Bytes => number::bytes(value),
            Self::BytesRate => number::bytes_per_second(value),
            Self::Percent => number::percent(value),
        }
    }
}

/// Which charts look alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    In,
    Out,
    /// How much there is of something.
    Level,
    /// Something that comes and goes and starts at zero.
    Load,
    /// Should be zero.
    Bad,
}

/// A figure of `!system/metrics/`.
#[derive(Debug)]
pub struct Figure {
    /// The last part of its topic.
    pub name: &'static str,
    /// What the screen calls it.
    pub title: &'static str,
    /// How it is written.
    pub unit: Unit,
    family: Family,
    /// What the top of its chart stands for at least.
    least: f64,
}

const fn figure(name: &'static str, title: &'static str, unit: Unit, family: Family) -> Figure {
    let least = match unit {
        Unit::Percent => 10.0,
        Unit::Bytes => 16_384.0,
        Unit::Count | Unit::Rate | Unit::BytesRate => 0.0,
    };
    Figure { name, title, unit, family, least }
}

/// All figures of the overview: the four large ones first, the others in the order of their cards.
pub const FIGURES: &[Figure] = &[
    figure("messages-in", "Messages in", Unit::Rate, Family::In),
    figure("messages-out", "Messages out", Unit::Rate, Family::Out),
    figure("bytes-in", "Bytes in", Unit::BytesRate, Family::In),
    figure("bytes-out", "Bytes out", Unit::BytesRate, Family::Out),
    figure("connections", "Connections", Unit::Count, Family::Level),
    figure("memory", "Memory", Unit::Bytes, Family::Level),
    figure("cpu", "CPU", Unit::Percent, Family::Load),
    figure("lagged", "Lag", Unit::Rate, Family::Bad),
    figure("subscriptions", "Subscriptions", Unit::Count, Family::Level),
    figure("topics", "Topics", Unit::Count, Family::Level),
    figure("retained-bytes", "Retained", Unit::Bytes, Family::Level),
    figure("outbox-bytes", "Outbox", Unit::Bytes, Family::Load),
];

/// A figure as it stands now.
struct Now {
    text: String,
    style: Style,
    frame: Style,
    columns: Vec<Option<f64>>,
    scale: Scale,
    ramp: Ramp,
}

impl Now {
    fn of(figure: &Figure, model: &Model, theme: &Theme, width: u16) -> Self {
        let history = model.metrics.get(figure.name);
        let columns = history.map(|h| h.columns(usize::from(width), model.span)).unwrap_or_default();
        let wrong = |value: f64| figure.family == Family::Bad && value > 0.0;
        let (text, style, frame) = match history.and_then(crate::model::history::History::last) {
            Some(value) if wrong(value) => (format!("▲ {}", figure.unit.text(value)), theme.bad, theme.bad),
            Some(value) => (figure.unit.text(value), theme.figure, theme.frame),
            None if model.metrics.is_empty() => ("…".to_owned(), theme.dim, theme.frame),
            None => ("not told".to_owned(), theme.dim, theme.frame),
        };
        let scale = if figure.family == Family::Level {
            Scale::level(&columns)
        } else {
            Scale::from_zero(&columns, figure.least)
        };
        let ramp = match figure.family {
            Family::In => theme.ramp_in,
            Family::Out => theme.ramp_out,
            Family::Level | Family::Load => theme.ramp_level,
            Family::Bad => theme.ramp_bad,
        };
        Self { text, style, frame, columns, scale, ramp }
    }

    fn chart(&self, buf: &mut Buffer, area: Rect, theme: &Theme) {
        chart::draw(buf, area, &self.columns, self.scale, self.ramp, theme.frame);
    }

    fn peak(&self) -> Option<f64> {
        self.columns.iter().flatten().copied().reduce(f64::max)
    }
}

/// Draws it.
pub fn draw(buf: &mut Buffer, body: Rect, model: &Model, theme: &Theme) {
    let parts = layout::overview(body);
    if let Some(area) = parts.lines {
        lines(buf, area, model, theme);
        return;
    }
    let (large, small) = FIGURES.split_at(parts.charts.len().min(FIGURES.len()));
    for (area, figure) in parts.charts.iter().zip(large) {
        large_card(buf, *area, figure, model, theme);
    }
    for (area, figure) in parts.cards.iter().zip(small) {
        small_card(buf, *area, figure, model, theme);
    }
    if let Some((topics, connections)) = parts.sides {
        busiest_topics(buf, topics, model, theme);
        busiest_connections(buf, connections, model, theme);
    }
}

fn large_card(buf: &mut Buffer, area: Rect, figure: &Figure, model: &Model, theme: &Theme) {
    let now = Now::of(figure, model, theme, area.width.saturating_sub(4));
    let inner = paint::frame(buf, area, now.frame);
    paint::title(buf, paint::edge(area, false), figure.title, theme.title);
    let lower = paint::edge(area, true);
    if let Some(total) = model.metrics.total(figure.name) {
        let unit = if figure.unit == Unit::BytesRate { Unit::Bytes } else { Unit::Count };
        #[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
        let total = format!("{} in all", unit.text(total as f64));
        paint::title_right(buf, lower, &total, theme.dim);
    }
    let seconds = usize::from(inner.width) * model.span.seconds();
    let span = number::age(std::time::Duration::from_secs(seconds as u64));
    paint::title(buf, lower, &format!("last {span}"), theme.dim);
    let taken = paint::left(buf, inner, &now.text, now.style);
    if let Some(peak) = now.peak().filter(|peak| *peak > 0.0) {
        fits_right(
            buf,
            paint::skip(inner, taken + 2),
            &format!("peak {}", figure.unit.text(peak)),
            theme.dim,
        );
    }
    now.chart(buf, paint::below(inner, 1), theme);
}

fn small_card(buf: &mut Buffer, area: Rect, figure: &Figure, model: &Model, theme: &Theme) {
    let now = Now::of(figure, model, theme, area.width.saturating_sub(4));
    let inner = paint::frame(buf, area, now.frame);
    paint::title(buf, paint::edge(area, false), figure.title, theme.title);
    let taken = paint::left(buf, inner, &now.text, now.style);
    let beside = paint::skip(inner, taken + 2);
    match (figure.family, model.metrics.total(figure.name)) {
        (Family::Bad, Some(total)) if total > 0 => {
            fits_right(buf, beside, &format!("{} in all", number::exact(total)), theme.dim);
            slow_sessions(buf, paint::edge(area, true), model, theme);
        }
        (Family::Level, Some(total)) => {
            fits_right(buf, beside, &format!("{} so far", number::exact(total)), theme.dim);
        }
        _ => {}
    }
    now.chart(buf, paint::below(inner, 1), theme);
}

/// How many sessions are slow now, if any: on the edge of the card about lag.
fn slow_sessions(buf: &mut Buffer, edge: Rect, model: &Model, theme: &Theme) {
    if let Some(slow) = model.metrics.last("slow-consumers").filter(|slow| *slow > 0.0) {
        paint::title_right(buf, edge, &format!("▲ {} slow", number::count(slow)), theme.bad);
    }
}

/// Writes to the right what fits whole, or nothing.
fn fits_right(buf: &mut Buffer, area: Rect, text: &str, style: Style) {
    if text::width(text) <= usize::from(area.width) {
        paint::right(buf, area, text, style);
    }
}

/// One line per figure, where the screen is small. The order is that of importance when not all fit.
fn lines(buf: &mut Buffer, area: Rect, model: &Model, theme: &Theme) {
    const TITLE: u16 = 15;
    const FIGURE: u16 = 13;
    let wide = area.width >= 2 * (TITLE + FIGURE + 8);
    let column_width = if wide { area.width / 2 } else { area.width };
    let per_column = if wide { FIGURES.len().div_ceil(2) } else { FIGURES.len() };
    for (column, figures) in (0..).zip(FIGURES.chunks(per_column)) {
        let area =
            Rect { width: column_width.saturating_sub(2), ..paint::skip(area, 1 + column * column_width) };
        for (row, figure) in paint::rows(area).zip(figures) {
            let chart = paint::skip(row, TITLE + FIGURE + 1);
            let now = Now::of(figure, model, theme, chart.width);
            paint::left(buf, Rect { width: TITLE, ..row }, figure.title, theme.title);
            paint::right(buf, Rect { width: FIGURE, ..paint::skip(row, TITLE - 1) }, &now.text, now.style);
            now.chart(buf, chart, theme);
        }
    }
}

/// The frame of a list beside the charts; gives the room in it.
fn side(buf: &mut Buffer, area: Rect, title: &str, total: Option<u64>, theme: &Theme) -> Rect {
    let inner = paint::frame(buf, area, theme.frame);
    let rest = paint::title(buf, paint::edge(area, false), title, theme.title);
    if let Some(total) = total {
        paint::title_right(buf, rest, &format!("{} in all", number::exact(total)), theme.dim);
    }
    inner
}

fn busiest_topics(buf: &mut Buffer, area: Rect, model: &Model, theme: &Theme) {
    let inner = side(buf, area, "Busiest topics", model.topics.total, theme);
    let busiest = model.topics.busiest("", usize::from(inner.height.saturating_sub(1)));
    if busiest.is_empty() {
        paint::notice(
            buf,
            inner,
            &[(if model.topics.total.is_some() { "No topics yet" } else { "…" }, theme.dim)],
        );
        return;
    }
    rate_bars(buf, inner, &busiest, 0, theme);
}

/// Topics with their rates as bars; the first `known` bytes of their names are left out.
pub(super) fn rate_bars(buf: &mut Buffer, area: Rect, topics: &[&Topic], known: usize, theme: &Theme) {
    let bar = if area.width < 60 { 7 } else { 14 };
    let columns = [table::flexible("TOPIC", 1), table::text("", bar), table::figure("MSG/s", 6)];
    let area = unmarked(area);
    table::titles(buf, area, &columns, "", theme);
    let most = topics.first().and_then(|topic| topic.rate()).unwrap_or_default();
    for (row, topic) in paint::rows(paint::below(area, 1)).zip(topics) {
        let places = table::places(row, &columns);
        let [name, bar, rate] = places.as_slice() else { return };
        let topic_name = topic.row.topic.get(known..).unwrap_or(&topic.row.topic);
        paint::left_end(buf, *name, topic_name, theme.text);
        chart::bar(buf, *bar, topic.rate().unwrap_or_default(), most, theme.ramp_in.top());
        paint::right(buf, *rate, &rate_text(topic.rate()), theme.figure);
    }
}

fn busiest_connections(buf: &mut Buffer, area: Rect, model: &Model, theme: &Theme) {
    const COLUMNS: [Column; 4] = [
        table::flexible("CONNECTION", 1),
        table::figure("IN/s", 6),
        table::figure("OUT/s", 6),
        table::figure("LAG", 7),
    ];
    let inner = side(buf, area, "Busiest connections", model.connections.total, theme);
    let busiest = model.connections.busiest(usize::from(inner.height.saturating_sub(1)));
    if busiest.is_empty() {
        paint::notice(buf, inner, &[("…", theme.dim)]);
        return;
    }
    let inner = unmarked(inner);
    table::titles(buf, inner, &COLUMNS, "", theme);
    for (row, connection) in paint::rows(paint::below(inner, 1)).zip(busiest) {
        let places = table::places(row, &COLUMNS);
        let [name, incoming, outgoing, lag] = places.as_slice() else { return };
        let (text, style) = connections::name(connection, model, theme);
        paint::left(buf, *name, &text, style);
        paint::right(buf, *incoming, &rate_text(connection.messages_in()), theme.ramp_in.top());
        paint::right(buf, *outgoing, &rate_text(connection.messages_out()), theme.ramp_out.top());
        let (text, style) = connections::lag(connection, theme);
        paint::right(buf, *lag, &text, style);
    }
}

/// A list without a selection needs no room for its mark.
fn unmarked(inner: Rect) -> Rect {
    Rect { x: inner.x.saturating_sub(table::MARK), width: inner.width + table::MARK + 1, ..inner }
}

/// A rate, or a dash before it is known.
pub fn rate_text(rate: Option<f64>) -> String {
    number::known(rate, number::count)
}
