//! What becomes of the results: conditions, baselines, files. The figures are those that the other modules have checked.

use std::path::Path;
use std::time::Duration;

use crate::fake::{Deed, Script, at, over};
use crate::support::{Checks, NONE, for_each, run, with_usual, workspace_root};

const PACE: [&str; 8] = ["--rate", "2000", "--warm-up", "0", "--duration", "0.6", "--drain", "1.5"];
const DELAY: Duration = Duration::from_millis(20);

/// Conditions on a run in which every message takes 20 ms, ten are dropped and told, and nothing else is wrong.
const CONDITIONS: &[(&str, bool)] = &[
    ("lost==0", true),
    ("lost==0,duplicated==0,reordered==0,corrupt==0,miscounted==0", true),
    ("skipped==10", true),
    ("skipped==0", false),
    ("skipped<10", false),
    ("p50>=20ms", true),
    ("p50<20ms", false),
    ("p50<60s,p99<60s,max<60s", true),
    ("p50<60s,p99<1us", false),
    ("sent>=1k, delivered>1k", true),
    ("raw_p50>19ms", true),
    // Nobody looked into this broker: what is not known does not hold.
    ("memory<1000MiB", false),
];

#[test]
fn conditions_are_met_or_missed() {
    for_each(
        CONDITIONS,
        |(condition, _)| (*condition).to_owned(),
        |&(condition, holds)| {
            let deeds = [over(500..510, Deed::Drop), at(510, Deed::Tell(10))];
            let script = Script { delay: DELAY, ..Script::doing(deeds) };
            let (ran, _) = run(&script, &with_usual(&PACE, &["--assert", condition]));
            assert_eq!(ran.code(), if holds { 0 } else { 3 }, "{}{}", ran.out, ran.err);
            let last = condition.rsplit(',').next().unwrap().trim();
            assert!(ran.out.contains(last), "{last} is not in:\n{}", ran.out);
            let verdicts = ran.json.as_ref().unwrap()["assertions"].as_array().unwrap();
            assert_eq!(verdicts.len(), condition.split(',').count());
            assert_eq!(verdicts.iter().all(|verdict| verdict["holds"] == true), holds, "{verdicts:?}");
        },
    );
}

#[test]
fn a_condition_does_not_excuse_a_broken_promise() {
    let (ran, did) = run(&Script::doing([at(300, Deed::Drop)]), &with_usual(&PACE, &["--assert", "lost<=5"]));
    ran.check(&did, Checks { lost: 1, ..NONE });
}

/// A file under `target/loadtest` that goes away with the test.
struct Baseline(String);

impl Drop for Baseline {
    fn drop(&mut self) {
        let path = workspace_root().join("target/loadtest").join(format!("{}.json", self.0));
        // It may not have been written: then there is nothing to remove.
        std::fs::remove_file(path).unwrap_or_default();
    }
}

#[test]
fn worse_than_the_baseline_is_a_miss_and_better_is_not() {
    let name = format!("test-{}", std::process::id());
    let kept = Baseline(name.clone());
    let after = |millis, args: &[&str]| {
        let script = Script { delay: Duration::from_millis(millis), ..Script::honest() };
        run(&script, &with_usual(&PACE, args)).0
    };
    let saved = after(100, &["--save", &name]);
    assert_eq!(saved.code(), 0, "{}", saved.err);
    assert!(saved.out.contains(&name), "{}", saved.out);
    // A hundred milliseconds are far more than a busy machine adds; a fifth of a second is twice as much.
    let rows = [("the same", 100, 0), ("better", 5, 0), ("worse", 400, 3)];
    for_each(
        &rows,
        |(what, ..)| (*what).to_owned(),
        |&(_, millis, code)| {
            let ran = after(millis, &["--baseline", &kept.0, "--threshold", "100%"]);
            assert_eq!(ran.code(), code, "{}{}", ran.out, ran.err);
        },
    );
}

/// The fields of a line of CSV; a comma between quotes is none of its own.
fn fields(line: &str) -> Vec<String> {
    let parts = line.split('"').enumerate();
    let plain =
        parts.map(|(index, part)| if index % 2 == 1 { part.replace(',', ";") } else { part.to_owned() });
    plain.collect::<String>().split(',').map(str::to_owned).collect()
}

#[test]
fn every_form_tells_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let (csv, html, hdr) = (path("a.csv"), path("a.html"), path("a.hdr"));
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let deeds = [over(500..507, Deed::Drop), over(900..905, Deed::Twice)];
    let (csv_arg, html_arg, hdr_arg) = (text(&csv), text(&html), text(&hdr));
    let args = ["--duration", "2", "--csv", &csv_arg, "--html", &html_arg, "--hdr", &hdr_arg];
    let (ran, did) = run(&Script::doing(deeds), &with_usual(&PACE, &args));
    ran.check(&did, Checks { lost: 7, duplicated: 5, ..NONE });

    // Every second has a line; together they tell no more than what was sent, and nearly all of it.
    let csv = std::fs::read_to_string(csv).unwrap();
    let mut lines = csv.lines().map(fields);
    let head = lines.next().unwrap();
    let column = |name: &str| head.iter().position(|other| other == name).unwrap();
    let rows: Vec<_> = lines.collect();
    assert_eq!(rows.len(), 2, "{csv}");
    let sent: u64 = rows.iter().map(|row| row[column("sent")].parse::<u64>().unwrap()).sum();
    assert!((did.published * 9 / 10..=did.published).contains(&sent), "{sent} of {}", did.published);
    let series = ran.value("/series").as_array().unwrap();
    for (row, second) in rows.iter().zip(series) {
        assert_eq!(row[column("sent")], second["sent"].to_string());
        assert_eq!(row[column("delivered")], second["delivered"].to_string());
    }

    // Needs nothing but itself.
    let html = std::fs::read_to_string(html).unwrap();
    assert!(html.contains("<svg") && html.trim_end().ends_with("</html>"), "a page with a picture");
    for outside in ["src=", "<link", "@import", "url(", "<script src"] {
        assert!(!html.contains(outside), "{outside} in the page");
    }
    for told in [&ran.out, &html] {
        for figure in ["7 lost", "5 duplicated"] {
            assert!(told.contains(figure), "{figure} is told");
        }
    }

    let hdr = std::fs::read_to_string(hdr).unwrap();
    let histograms = hdr.lines().filter(|line| !line.starts_with(['#', '"'])).count();
    assert!(histograms >= 4, "corrected and raw, each second:\n{hdr}");
}
