//! Results as one page that needs nothing but itself: tables, the percentiles of the latency, and the run second by second.
//!
//! No script, and nothing from the network. Colours follow the reader's choice of light or dark.

mod chart;
mod pictures;

use std::fmt::Write as _;

use super::{Report, Table, Verdict, in_unit, text};
use crate::load::metric;
use crate::load::middle::groups;
use crate::load::outcome::Outcome;

/// The looks of the page.
const STYLE: &str = include_str!("html/style.css");

/// Text with the characters that mean something in HTML replaced.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// The page.
pub(crate) fn page(report: &Report, verdicts: &[Verdict]) -> String {
    let title = match report.results.as_slice() {
        [] => "Load test".to_owned(),
        [first, ..] => format!("Load test: {}", first.scenario.title()),
    };
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <h1>Load test</h1>\n<p class=\"where\">{}<br><code>{}</code></p>\n",
        escape(&title),
        escape(report.host.to_string().trim()),
        escape(&report.command),
    );
    out.push_str(&verdict_list(report, verdicts));
    for section in &report.sections {
        for table in &section.tables {
            out.push_str(&table.html());
        }
    }
    let groups = groups(&report.results);
    if groups.len() > 1 {
        // Beside the tables of a comparison it is there for those who want it.
        let open = if report.sections.is_empty() { " open" } else { "" };
        let table = text::overview(&groups).html();
        writeln!(out, "<details{open}><summary>All scenarios</summary>{table}</details>").unwrap_or_default();
    }
    let mut titles: Vec<&str> = groups.iter().map(|group| group.title.as_str()).collect();
    titles.dedup();
    for title in titles {
        let of_title: Vec<_> = groups.iter().filter(|group| group.title == title).collect();
        writeln!(out, "<section>\n<h2>{}</h2>", escape(title)).unwrap_or_default();
        if let [only] = of_title.as_slice()
            && let [run] = only.runs.as_slice()
        {
            out.push_str(&figures(run));
        }
        out.push_str(&pictures::of_scenario(&of_title));
        out.push_str("</section>\n");
    }
    out.push_str("</body>\n</html>\n");
    out
}

/// In a word whether all is well, and each assertion.
fn verdict_list(report: &Report, verdicts: &[Verdict]) -> String {
    let mut out = String::from("<ul class=\"verdicts\">");
    let mut item = |good: bool, text: &str| {
        let (class, mark) = if good { ("good", "✓") } else { ("bad", "✗") };
        write!(out, "<li class=\"{class}\"><b>{mark}</b> {}</li>", escape(text)).unwrap_or_default();
    };
    if report.checks_hold() {
        item(true, "Every message arrived once, in order and unchanged, or was reported as skipped.");
    } else {
        item(false, "Messages were lost, duplicated, reordered, changed or miscounted.");
    }
    for group in groups(&report.results) {
        if let Some(why) = group.limited_by_generator() {
            item(false, &format!("The generator was the limit: {why} ({}, {})", group.title, group.peer));
        }
    }
    for verdict in verdicts {
        let value = verdict.value.map_or_else(
            || "was not measured".to_owned(),
            |value| format!("is {}", in_unit(value, verdict.unit)),
        );
        item(verdict.holds, &format!("{} ({value}) {}", verdict.assertion, verdict.scenario));
    }
    out.push_str("</ul>\n");
    out
}

/// One run in figures.
fn figures(outcome: &Outcome) -> String {
    let mut table = Table::new("", &["figure", "value"]);
    for metric in crate::load::metric::all() {
        let is_latency = metric.unit == crate::load::outcome::Unit::Micros && !metric.name.starts_with("lag");
        let value = crate::load::metric::value(outcome, metric.name);
        if let Some(value) = value.filter(|_| !is_latency && metric.name != "limited_by_generator") {
            table.row(vec![metric::shown(metric.name), in_unit(value, metric.unit)]);
        }
    }
    let latencies = text::latencies(outcome).map_or_else(String::new, |table| table.html());
    let details = format!("<details><summary>All figures</summary>{}</details>\n", table.html());
    format!("{latencies}{}{details}", text::checks(&outcome.checks).html())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::fixture;

    #[test]
    fn a_page_needs_nothing_but_itself() {
        let mut other = fixture::outcome();
        other.peer = "a <peer>".to_owned();
        let page = page(&Report::new(None, vec![fixture::outcome(), other]), &[]);
        for forbidden in ["http:", "https:", "<script", "<link", "@import", "url(", "<peer>"] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
        assert!(page.contains("a &lt;peer&gt;"));
        assert!(!page.contains("NaN") && !page.contains("inf "));
        for tag in ["section", "table", "svg", "figure", "g", "ul", "div"] {
            let (open, close) = (format!("<{tag}"), format!("</{tag}>"));
            let opened =
                page.matches(&format!("{open} ")).count() + page.matches(&format!("{open}>")).count();
            assert_eq!(opened, page.matches(&close).count(), "{tag}");
        }
        assert_eq!(page.matches("<svg").count(), 5);
    }
}
