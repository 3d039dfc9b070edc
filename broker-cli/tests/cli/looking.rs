//! `topics`, `clear`, `metrics`, `ping`, `completions`.

use crate::harness::Broker;

#[test]
fn topics_are_listed_in_order_with_size_age_and_value() {
    let broker = Broker::start();
    broker.ok(&["pub", "b", "[1,2]"]);
    broker.ok(&["pub", "a/long", "--format", "text", &"x".repeat(100)]);
    broker.ok(&["pub", "a", "true"]);
    let list = broker.ok(&["topics"]);
    let rows: Vec<Vec<&str>> = list.lines().map(|line| line.split_whitespace().collect()).collect();
    let columns: Vec<(&str, &str, &str)> = rows.iter().map(|row| (row[0], row[1], row[2])).collect();
    assert_eq!(columns, [("a", "1", "B"), ("a/long", "102", "B"), ("b", "3", "B")]);
    assert_eq!((rows[0][4], rows[2][4]), ("true", "[1,2]"));
    assert!(rows[1][4].starts_with("\"xxx") && rows[1][4].ends_with("x…"), "{list}");

    let list = broker.ok(&["topics", "a*", "--json"]);
    let (first, second) = list.trim_end().split_once('\n').unwrap();
    assert!(
        first.starts_with("{\"topic\":\"a\",\"size\":1,\"age_ms\":") && first.ends_with(",\"value\":true}")
    );
    assert!(second.ends_with(&format!(",\"value\":\"{}\"}}", "x".repeat(100))), "{second}");
}

#[test]
fn no_topics_is_no_error() {
    let broker = Broker::start();
    let outcome = broker.run(&["topics", "none/*"]);
    assert!(outcome.err.contains("no retained message matches none/*"));
    assert_eq!(outcome.ok(), "");
    let outcome = broker.run(&["topics", "none/*", "--quiet"]);
    assert_eq!(outcome.err, "");
}

#[test]
fn clear_forgets_what_matches_and_prints_how_many() {
    let broker = Broker::start();
    for topic in ["a/1", "a/2", "b"] {
        broker.ok(&["pub", topic, "1"]);
    }
    assert_eq!(broker.ok(&["clear", "a/*"]), "2\n");
    assert_eq!(broker.ok(&["clear", "a/*"]), "0\n");
    let list = broker.ok(&["topics"]);
    assert_eq!(list.split_whitespace().next(), Some("b"), "{list}");
    broker.run(&["clear", "a["]).fails(2, "a[: not a pattern");
}

/// `!system/topics` has 1,000 rows at most, and an outbox holds less than these: neither may cut the list short.
#[test]
fn a_long_list_is_complete() {
    const TOPICS: usize = 20_000;
    let broker = Broker::start();
    let client =
        broker_client::blocking::Client::connect(&broker.addr, broker_client::Options::new()).unwrap();
    let value = "x".repeat(1_000);
    for number in 0..TOPICS {
        client.publish(&format!("t/{number:06}"), &value).unwrap();
    }
    client.close().unwrap();
    let list = broker.ok(&["topics"]);
    let topics: Vec<&str> = list.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(topics.len(), TOPICS);
    assert!(topics.iter().enumerate().all(|(number, topic)| *topic == format!("t/{number:06}")));
}

#[test]
fn metrics_are_one_line_each() {
    let broker = Broker::start();
    let lines = broker.ok(&["metrics", "--once"]);
    let names: Vec<&str> = lines.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
    for name in ["commands", "connections", "messages-in", "messages-out", "bytes-in", "bytes-out", "uptime"]
    {
        assert_eq!(names.iter().filter(|it| **it == name).count(), 1, "{name} in {lines}");
    }
    for line in lines.lines() {
        let value = line.split_whitespace().nth(2).unwrap();
        assert!(value.parse::<f64>().is_ok(), "{line}");
    }
}

#[test]
fn metrics_go_on_second_by_second() {
    let broker = Broker::start();
    let metrics = broker.spawn(&["metrics", "--json"]);
    let times: Vec<u64> = (0..3)
        .map(|_| {
            let line = metrics.line();
            assert!(line.contains("\"messages-in\":") && line.contains("\"cpu\":"), "{line}");
            let time = line.strip_prefix("{\"time\":").and_then(|rest| rest.split(',').next());
            time.and_then(|time| time.parse().ok()).unwrap_or_else(|| panic!("a time in {line}"))
        })
        .collect();
    assert!(times.is_sorted_by(|a, b| a < b), "{times:?}");
}

#[test]
fn ping_tells_each_round_trip_and_the_sum() {
    let broker = Broker::start();
    let lines = broker.ok(&["ping", "-n", "3", "--interval", "0"]);
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!(lines.len(), 4);
    for (line, number) in lines.iter().zip(1..=3) {
        let time = line.strip_prefix(&format!("{number}: ")).and_then(|rest| rest.strip_suffix(" ms"));
        assert!(time.is_some_and(|time| time.parse::<f64>().is_ok_and(|time| time > 0.0)), "{line}");
    }
    assert!(lines[3].starts_with("3 round trips: min "), "{}", lines[3]);
}

#[test]
fn every_shell_has_completions_that_know_the_commands() {
    let broker = Broker::start();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = broker.ok(&["completions", shell]);
        for command in ["pub", "sub", "req", "reply", "topics", "clear", "metrics", "ping", "no-retained"] {
            assert!(script.contains(command), "{command} for {shell}");
        }
    }
}
