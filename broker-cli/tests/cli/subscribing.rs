//! `sub`: what is printed, when, and how often.

use crate::harness::{Broker, numbers};

#[test]
fn the_retained_message_comes_first_unless_it_is_not_wanted() {
    let broker = Broker::start();
    broker.ok(&["pub", "t", "old"]);
    let with = broker.sub(&["t", "-n", "2", "--format", "json"]);
    let without = broker.sub(&["t", "-n", "1", "--format", "json", "--no-retained"]);
    assert!(with.line().ends_with(",\"retained\":true}"));
    broker.ok(&["pub", "t", "new"]);
    let line = with.line();
    assert!(line.starts_with("{\"topic\":\"t\",\"value\":\"new\",") && !line.contains("retained"), "{line}");
    assert_eq!(without.end().ok().trim_end(), line);
}

#[test]
fn each_message_is_printed_at_once() {
    let broker = Broker::start();
    let sub = broker.sub(&["a/*", "--format", "raw"]);
    for value in ["1", "2", "3"] {
        broker.ok(&["pub", "a/b", value]);
        assert_eq!(sub.line(), value);
    }
}

#[test]
fn pretty_is_time_topic_value_without_colour_in_a_pipe() {
    let broker = Broker::start();
    broker.ok(&["pub", "a/b", "{\"x\": [1, true]}"]);
    let line = broker.ok(&["sub", "a/b", "-n", "1"]);
    let (time, rest) = line.split_once("  ").unwrap();
    assert!(time.ends_with('Z') && time.contains(':'), "{time}");
    assert_eq!(rest, "a/b  {\"x\":[1,true]}\n");
    let coloured = broker.ok(&["sub", "a/b", "-n", "1", "--color", "always"]);
    assert!(
        coloured.contains("\x1b[1ma/b\x1b[0m") && coloured.contains("\x1b[33mtrue\x1b[0m"),
        "{coloured:?}"
    );
}

#[test]
fn nothing_that_a_publisher_wrote_drives_a_terminal() {
    let broker = Broker::start();
    broker
        .run_with(&["pub", "x\u{202e}y", "--whole", "--format", "text"], "\x1b[2J\u{9b}31m\n\x07".as_bytes())
        .ok();
    for format in ["pretty", "json"] {
        let outcome = broker.run(&["sub", "*", "-n", "1", "--format", format]);
        let line = outcome.ok();
        assert!(!line.trim_end().contains(|char: char| char.is_control()), "{line:?}");
    }
    let line = broker.ok(&["sub", "*", "-n", "1"]);
    assert!(line.contains("x\\u{202e}y"), "{line:?}");
}

#[test]
fn raw_values_may_end_with_a_zero_byte() {
    let broker = Broker::start();
    let sub = broker.sub(&["t", "-n", "2", "--format", "raw", "--null"]);
    broker.ok(&["pub", "t", "two\nlines"]);
    broker.ok(&["pub", "t", "5"]);
    assert_eq!(sub.end().ok(), "two\nlines\x005\x00");
    broker.run(&["sub", "t", "--null"]).fails(2, "--null");
}

#[test]
fn a_message_that_matches_several_patterns_is_printed_once() {
    let broker = Broker::start();
    broker.ok(&["pub", "a/b", "retained"]);
    let sub = broker.sub(&["a/*", "*/b", "a/b", "!inbox/x", "--format", "raw"]);
    assert_eq!(sub.line(), "retained");
    broker.ok(&["pub", "a/b", "1"]);
    broker.ok(&["pub", "!inbox/x", "2"]);
    broker.ok(&["pub", "c/b", "3"]);
    broker.ok(&["pub", "end/b", "4"]);
    // All on one connection, in the order in which they were published: a second copy would stand before the next.
    for value in ["1", "2", "3", "4"] {
        assert_eq!(sub.line(), value);
    }
}

/// More than 16 `*` are too complex for one pattern: then each is subscribed to on its own.
#[test]
fn more_patterns_than_one_subscription_holds_work_too() {
    let broker = Broker::start();
    let patterns: Vec<String> = (0..20).map(|number| format!("{number}/*")).collect();
    let mut arguments: Vec<&str> = patterns.iter().map(String::as_str).collect();
    arguments.extend(["-n", "20", "--format", "raw"]);
    let sub = broker.sub(&arguments);
    for number in 0..20 {
        broker.ok(&["pub", &format!("{number}/x"), &number.to_string()]);
    }
    let mut numbers: Vec<u32> = sub.end().ok().lines().map(|line| line.parse().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..20).collect::<Vec<_>>());
}

#[test]
fn a_pattern_that_is_none_is_named() {
    let broker = Broker::start();
    broker.run(&["sub", "good", "bad["]).fails(2, "bad[: not a pattern");
    broker.run(&["sub", "a[", "b]"]).fails(2, "a[: not a pattern");
}

#[test]
fn a_wildcard_does_not_show_system_topics() {
    let broker = Broker::start();
    broker.ok(&["pub", "t", "1"]);
    let line = broker.ok(&["sub", "*", "-n", "1", "--format", "json"]);
    assert!(line.starts_with("{\"topic\":\"t\""), "{line}");
    let line = broker.ok(&["sub", "!system/server", "-n", "1", "--format", "json"]);
    assert!(line.contains("\"server\":\"broker-server\""), "{line}");
}

#[test]
fn a_time_may_be_given_instead_of_a_number() {
    let broker = Broker::start();
    broker.run(&["sub", "t", "--timeout", "50ms"]).fails(4, "time is up after 0 of 1 message");
    broker.ok(&["pub", "t", "1"]);
    assert_eq!(broker.ok(&["sub", "t", "--timeout", "2s", "--format", "raw"]), "1\n");
    let outcome = broker.run(&["sub", "t", "--timeout", "2s", "-n", "2", "--format", "raw"]);
    outcome.fails(4, "time is up after 1 of 2 messages");
    assert_eq!(outcome.text(), "1\n");
}

#[test]
fn the_members_of_a_group_share_the_work() {
    let broker = Broker::start();
    let members: Vec<_> =
        (0..2).map(|_| broker.sub(&["w/*", "--group", "g", "--format", "raw", "--timeout", "60s"])).collect();
    let all = broker.sub(&["w/*", "-n", "100", "--format", "raw"]);
    broker.run_with(&["pub", "w/1"], numbers(100).as_bytes()).ok();
    assert_eq!(all.end().ok().lines().count(), 100);
    broker.ok(&["pub", "w/end", "end", "--count", "200"]);
    let mut shares: Vec<Vec<u32>> = Vec::new();
    for member in &members {
        let numbers = std::iter::repeat_with(|| member.line()).map_while(|line| line.parse().ok());
        shares.push(numbers.collect());
    }
    assert!(shares.iter().all(|share| !share.is_empty()), "{shares:?}");
    let mut together = shares.concat();
    together.sort_unstable();
    assert_eq!(together, (0..100).collect::<Vec<_>>());
}

#[test]
fn a_policy_is_asked_for_by_name() {
    let broker = Broker::start();
    for policy in broker_client::Policy::ALL {
        let sub = broker.sub(&[policy.name(), "-n", "1", "--policy", policy.name(), "--format", "raw"]);
        broker.ok(&["pub", policy.name(), "1"]);
        assert_eq!(sub.end().ok(), "1\n");
    }
    broker.run(&["sub", "t", "--policy", "hope"]).fails(2, "expected one of 'skip', 'conflate'");
}

/// A thousand messages at once and two a second: the first comes, then the last.
#[test]
fn a_rate_thins_out_and_the_last_message_comes() {
    let broker = Broker::start();
    let sub = broker.sub(&["t", "--max-rate", "2", "--format", "raw"]);
    broker.run_with(&["pub", "t"], numbers(1_000).as_bytes()).ok();
    let mut got = vec![sub.line()];
    while got.last().is_some_and(|line| line != "999") {
        got.push(sub.line());
    }
    assert!(got.len() < 20, "{} messages came: {got:?}", got.len());
}
