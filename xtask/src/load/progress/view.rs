//! Draws the progress: charts of what is delivered and how late, the last seconds as a table, the runs before. Pure; with the widgets of the dashboard.

use broker_tui::format::number::{age, bytes, cells, count, per_second};
use broker_tui::theme::Theme;
use broker_tui::view::chart::{self, Scale};
use broker_tui::view::paint;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::model::{Model, Phase};
use crate::load::report::{grouped, micros};
use crate::load::series::Second;

/// The smallest terminal that is drawn on.
pub(super) const WIDTH_MIN: u16 = 60;
/// Likewise.
pub(super) const HEIGHT_MIN: u16 = 16;
/// Rows of the charts, frames included: at least, and as a share of the screen.
const CHART_ROWS_MIN: u16 = 6;
const CHART_SHARE: u16 = 4;
/// Rows of the table of seconds that the runs that have ended may not take: frame, titles and some seconds.
const TABLE_ROWS_MIN: u16 = 7;
/// The columns of the table: a title, its width, and from which width of the screen on it is shown.
const COLUMNS: [(&str, u16, u16); 12] = [
    ("second", 7, 0),
    ("sent/s", 10, 0),
    ("delivered/s", 12, 0),
    ("p50", 9, 0),
    ("p99", 9, 0),
    ("p99, raw", 9, 120),
    ("p99.9", 9, 120),
    ("max", 9, 0),
    ("skipped", 9, 100),
    ("CPU", 7, 76),
    ("generator", 10, 120),
    ("memory", 10, 76),
];
/// Columns that each column of the table may get on a wide screen beside its width.
const SLACK_MAX: u16 = 5;

/// Draws the whole screen.
pub(super) fn draw(buf: &mut Buffer, area: Rect, model: &Model, theme: &Theme) {
    if area.width < WIDTH_MIN || area.height < HEIGHT_MIN {
        paint::left(buf, area, &format!("loadtest: {}", model.title), theme.text);
        return;
    }
    let mut rows = paint::rows(area);
    let (Some(title), Some(bar), Some(footer)) = (rows.next(), rows.next(), rows.last()) else { return };
    header(buf, title, model, theme);
    progress_bar(buf, bar, model, theme);
    paint::left(buf, footer, " Ctrl-C stops the test; what it found is printed at its end", theme.dim);
    let body = Rect { height: area.height - 3, ..paint::below(area, 2) };
    let charts = Rect { height: (area.height / CHART_SHARE).max(CHART_ROWS_MIN), ..body };
    draw_charts(buf, charts, model, theme);
    let rest = paint::below(body, charts.height);
    let ended_rows = match model.ended.len() {
        0 => 0,
        n => {
            // A short run needs few rows for its seconds; those of a long one are worth more than the runs before it.
            let table =
                cells(model.seconds.len()).saturating_add(3).max(TABLE_ROWS_MIN).min(rest.height * 2 / 3);
            cells(n).saturating_add(2).min(rest.height.saturating_sub(table)).max(3)
        }
    };
    let table = Rect { height: rest.height - ended_rows.min(rest.height), ..rest };
    draw_seconds(buf, table, model, theme);
    draw_ended(buf, paint::below(rest, table.height), model, theme);
}

fn header(buf: &mut Buffer, row: Rect, model: &Model, theme: &Theme) {
    let phase = match model.phase {
        Phase::Between => "preparing".to_owned(),
        Phase::Counting => format!("{} {}", grouped(model.counted.1), model.counted.0),
        Phase::WarmUp => "warming up".to_owned(),
        Phase::Measuring => "measuring".to_owned(),
        Phase::Draining => "waiting for the last messages".to_owned(),
    };
    let width = cells(phase.chars().count() + 2);
    paint::right(buf, Rect { width: row.width - 1, ..row }, &phase, theme.accent);
    let room = Rect { width: row.width.saturating_sub(width + 1), ..row };
    paint::parts(buf, room, &[(" loadtest  ", theme.brand), (&model.title, theme.text)]);
}

/// How far the run is, or what is counted before it.
fn progress_bar(buf: &mut Buffer, row: Rect, model: &Model, theme: &Theme) {
    let (done, total, text) = match model.phase {
        Phase::Counting => {
            let (_, done, total) = &model.counted;
            #[expect(clippy::cast_precision_loss, reason = "a bar")]
            let share = (*done as f64, *total as f64);
            (share.0, share.1, format!("of {}", grouped(*total)))
        }
        _ if model.total.is_zero() => (0.0, 1.0, String::new()),
        _ => {
            let text = format!("{} of {}", age(model.done), age(model.total));
            (model.done.as_secs_f64(), model.total.as_secs_f64(), text)
        }
    };
    let width = cells(text.chars().count());
    let inner = Rect { x: row.x + 1, width: row.width - 2, ..row };
    paint::right(buf, inner, &text, theme.dim);
    let bar = Rect { width: inner.width.saturating_sub(width + 2), ..inner };
    for x in bar.left()..bar.right() {
        paint::left(buf, Rect { x, width: 1, ..bar }, "─", theme.frame);
    }
    chart::bar(buf, bar, done, total, theme.accent);
}

fn draw_charts(buf: &mut Buffer, area: Rect, model: &Model, theme: &Theme) {
    let half = area.width / 2;
    let (left, right) = (Rect { width: half, ..area }, paint::skip(area, half));
    let rates: Vec<Option<f64>> = model.rates.iter().copied().collect();
    let rate = rates.last().copied().flatten().map_or_else(String::new, per_second);
    let inner = framed(buf, left, "delivered", (&rate, theme.ramp_out.top()), theme);
    chart::draw(buf, inner, &rates, Scale::from_zero(&rates, 1.0), theme.ramp_out, theme.frame);
    let p99: Vec<Option<f64>> = model.seconds.iter().map(|second| second.p99_us).collect();
    let latest = p99.last().copied().flatten().map_or_else(String::new, micros);
    let inner = framed(buf, right, "latency, p99 of each second", (&latest, theme.ramp_level.top()), theme);
    // A column for each second: the few that a short run has are made wide enough to be seen.
    let wide = (usize::from(inner.width) / p99.len().max(1)).clamp(1, 4);
    let columns: Vec<Option<f64>> = p99.iter().flat_map(|value| std::iter::repeat_n(*value, wide)).collect();
    chart::draw(buf, inner, &columns, Scale::from_zero(&columns, 1.0), theme.ramp_level, theme.frame);
}

/// A frame with a title and a figure in its upper edge; gives the room in it.
fn framed(buf: &mut Buffer, area: Rect, title: &str, figure: (&str, Style), theme: &Theme) -> Rect {
    let inner = paint::frame(buf, area, theme.frame);
    let rest = paint::title_right(buf, paint::edge(area, false), figure.0, figure.1);
    paint::title(buf, rest, title, theme.title);
    inner
}

/// The last seconds, the newest on top.
fn draw_seconds(buf: &mut Buffer, area: Rect, model: &Model, theme: &Theme) {
    let inner = framed(buf, area, "second by second", ("", theme.figure), theme);
    let shown: Vec<usize> =
        (0..COLUMNS.len()).filter(|&n| COLUMNS.get(n).is_some_and(|column| area.width >= column.2)).collect();
    let taken: u16 = shown.iter().filter_map(|&n| COLUMNS.get(n)).map(|column| column.1).sum();
    let slack = (inner.width.saturating_sub(taken) / cells(shown.len().max(1))).min(SLACK_MAX);
    let mut rows = paint::rows(inner);
    let mut line = |values: &dyn Fn(usize) -> String, style: Style| {
        let Some(mut row) = rows.next() else { return };
        for &n in &shown {
            let width = COLUMNS.get(n).map_or(0, |column| column.1 + if n == 0 { 0 } else { slack });
            paint::right(buf, Rect { width: width.min(row.width), ..row }, &values(n), style);
            row = paint::skip(row, width);
        }
    };
    line(&|n| COLUMNS.get(n).map_or_else(String::new, |column| column.0.to_owned()), theme.column);
    for second in model.seconds.iter().rev() {
        let style = if second.skipped > 0 { theme.warn } else { theme.text };
        line(&|n| cell(second, n), style);
    }
    if model.seconds.is_empty() {
        let room = paint::below(inner, 1);
        paint::notice(buf, room, &[("nothing has been measured yet", theme.dim)]);
    }
}

fn cell(second: &Second, column: usize) -> String {
    let or_none = |value: Option<f64>, show: fn(f64) -> String| value.map_or_else(|| "-".to_owned(), show);
    match column {
        0 => format!("{:.0}", second.end_s),
        1 => count(second.sent_per_s),
        2 => count(second.delivered_per_s),
        3 => or_none(second.p50_us, micros),
        4 => or_none(second.p99_us, micros),
        5 => or_none(second.raw_p99_us, micros),
        6 => or_none(second.p999_us, micros),
        7 => or_none(second.max_us, micros),
        8 => grouped(second.skipped),
        9 => or_none(second.peer_cpu_cores, |cores| format!("{cores:.2}")),
        10 => or_none(second.generator_cpu_cores, |cores| format!("{cores:.2}")),
        _ => {
            #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
            let resident = second.peer_resident_bytes.map(|n| n as f64);
            or_none(resident, bytes)
        }
    }
}

/// The runs that have ended, the newest at the bottom.
fn draw_ended(buf: &mut Buffer, area: Rect, model: &Model, theme: &Theme) {
    if model.ended.is_empty() {
        return;
    }
    let runs = if model.ended.len() == 1 { "run" } else { "runs" };
    let title = format!("{} {runs} before", model.ended.len());
    let inner = framed(buf, area, &title, ("", theme.figure), theme);
    let room = usize::from(inner.height);
    let from = model.ended.len().saturating_sub(room);
    for (row, ended) in paint::rows(inner).zip(model.ended.iter().skip(from)) {
        let style = if ended.good { theme.figure } else { theme.bad };
        let taken = cells(ended.figures.chars().count());
        paint::right(buf, row, &ended.figures, style);
        paint::left(buf, Rect { width: row.width.saturating_sub(taken + 2), ..row }, &ended.title, theme.dim);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use broker_tui::theme::{Depth, ThemeName};

    use super::*;
    use crate::load::fixture;

    fn model(seconds: usize, ended: usize) -> Model {
        let mut model = Model::new();
        let outcome = fixture::outcome();
        for run in 0..ended {
            model.begin(&format!("broker {}/5: 1 to 1, 128 B, 10000 a second", run + 1));
            let mut outcome = outcome.clone();
            outcome.checks.lost = u64::from(run == 1);
            model.end(&outcome);
        }
        model.begin("relay 3/5: 1 to 1, 128 B, 10000 a second");
        for tick in 0..u32::try_from(seconds * 5).unwrap() {
            let wave = f64::from(tick % 7) * 300.0;
            model.tick(Duration::from_millis(200) * tick, Duration::from_secs(9), 9_000.0 + wave);
        }
        for second in outcome.series.iter().take(seconds) {
            model.second(second.clone());
        }
        if seconds > 0 {
            model.tick(
                Duration::from_secs(u64::try_from(seconds).unwrap()),
                Duration::from_secs(9),
                10_000.0,
            );
        }
        model
    }

    fn frame(model: &Model, width: u16, height: u16) -> Buffer {
        let area = Rect { x: 0, y: 0, width, height };
        let mut buf = Buffer::empty(area);
        draw(&mut buf, area, model, &ThemeName::Dark.theme(Depth::Palette));
        buf
    }

    fn text(buf: &Buffer) -> String {
        let lines = buf.content.chunks(usize::from(buf.area.width));
        let line = |row: &[ratatui::buffer::Cell]| {
            row.iter().map(ratatui::buffer::Cell::symbol).collect::<String>().trim_end().to_owned() + "\n"
        };
        lines.map(line).collect()
    }

    #[test]
    fn measuring() {
        insta::assert_snapshot!("measuring_80x24", text(&frame(&model(8, 2), 80, 24)));
        insta::assert_snapshot!("measuring_200x50", text(&frame(&model(8, 2), 200, 50)));
        insta::assert_snapshot!("measuring_60x16", text(&frame(&model(3, 0), 60, 16)));
    }

    #[test]
    fn before_the_first_second() {
        insta::assert_snapshot!("warming_up_80x24", text(&frame(&model(0, 0), 80, 24)));
        let mut model = Model::new();
        model.count("connections", 1_234, 10_000);
        insta::assert_snapshot!("counting_80x24", text(&frame(&model, 80, 24)));
    }

    #[test]
    fn a_broken_promise_is_red_and_says_so() {
        let buf = frame(&model(3, 2), 80, 24);
        let bad = ThemeName::Dark.theme(Depth::Palette).bad.fg.unwrap();
        let row = text(&buf).lines().position(|line| line.contains("PROMISES BROKEN")).unwrap();
        assert!((0..80).any(|x| buf[(x, u16::try_from(row).unwrap())].fg == bad));
    }

    #[test]
    fn any_size_is_drawn() {
        let model = model(8, 30);
        for width in [1, 20, 59, 60, 61, 75, 76, 99, 100, 300] {
            for height in [1, 2, 15, 16, 17, 24, 80] {
                frame(&model, width, height);
            }
        }
    }
}
