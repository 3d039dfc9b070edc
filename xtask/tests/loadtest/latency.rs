//! Delays that are known, and how they must show. Upper bounds are such that only an absurd figure breaks them.

use std::time::Duration;

use crate::fake::{Deed, Script, at};
use crate::support::{Ran, run};

/// What a busy machine may add to a delay, microseconds: far above what it does add.
const ABSURD_US: f64 = 250_000.0;

const DELAY: Duration = Duration::from_millis(20);
const STALL: Duration = Duration::from_secs(1);
/// Two seconds into a run at 2,000 messages a second.
const STALL_AT: u64 = 4_000;

fn corrected(ran: &Ran, percentile: &str) -> f64 {
    ran.number(&format!("/latency/{percentile}_us"))
}

fn raw(ran: &Ran, percentile: &str) -> f64 {
    ran.number(&format!("/raw_latency/{percentile}_us"))
}

#[track_caller]
fn check_between(what: &str, value: f64, least: f64, most: f64) {
    assert!((least..=most).contains(&value), "{what} is {value}, not {least} to {most}");
}

#[test]
fn a_delay_shows_in_full() {
    let script = Script { delay: DELAY, ..Script::honest() };
    let (ran, _) = run(&script, &["--rate", "2000", "--warm-up", "0.2", "--duration", "1.5"]);
    assert_eq!(ran.code(), 0, "{}", ran.err);
    for percentile in ["p50", "p90", "p99", "p999", "max", "mean"] {
        assert!(corrected(&ran, percentile) >= 20_000.0, "corrected {percentile}: {}", ran.out);
        assert!(raw(&ran, percentile) >= 19_990.0, "raw {percentile}: {}", ran.out);
        assert!(corrected(&ran, percentile) + 1.0 >= raw(&ran, percentile), "{percentile}: {}", ran.out);
    }
    check_between("p50", corrected(&ran, "p50"), 20_000.0, 20_000.0 + ABSURD_US);
}

#[test]
fn one_message_held_up_shows_with_all_behind_it() {
    // Half a second at 2,000 a second: a thousand of three thousand messages wait, evenly 0 to 0.5 s.
    let script = Script::doing([at(1_000, Deed::Hold(STALL / 2))]);
    let (ran, _) = run(&script, &["--rate", "2000", "--warm-up", "0", "--duration", "1.5"]);
    assert_eq!(ran.code(), 0, "{}", ran.err);
    check_between("max", corrected(&ran, "max"), 500_000.0, 500_000.0 + ABSURD_US);
    check_between("p90", corrected(&ran, "p90"), 300_000.0, 500_000.0 + ABSURD_US);
    check_between("p50", corrected(&ran, "p50"), 0.0, ABSURD_US);
}

#[test]
fn a_stall_shows_as_all_the_messages_that_it_made_late() {
    let script = Script { stall: Some((STALL_AT, STALL)), ..Script::honest() };
    let (ran, did) = run(&script, &["--rate", "2000", "--warm-up", "0", "--duration", "5"]);
    assert_eq!(ran.code(), 0, "{}", ran.err);
    check_stall(&ran, did.matched);
    // The sockets took everything in time, so that the hand-over tells the same.
    check_between("raw p90", raw(&ran, "p90"), 300_000.0, 1_000_000.0 + ABSURD_US);
}

#[test]
fn a_stall_that_holds_the_publisher_up_does_not_hide_behind_it() {
    // Ten messages are on their way when the broker stalls; the other two thousand are held back by the window. Measured from when they were
    // sent, they were as fast as ever.
    let script = Script { stall: Some((STALL_AT, STALL)), ..Script::honest() };
    let args = ["--rate", "2000", "--warm-up", "0", "--duration", "5", "--window", "10"];
    let (ran, did) = run(&script, &args);
    assert_eq!(ran.code(), 0, "{}", ran.err);
    check_stall(&ran, did.matched);
    check_between("raw p99", raw(&ran, "p99"), 0.0, ABSURD_US);
    check_between("raw max", raw(&ran, "max"), 900_000.0, 1_000_000.0 + ABSURD_US);
    // It was not the generator that was late.
    check_between("schedule lag", ran.number("/schedule_lag/max_us"), 0.0, ABSURD_US);
}

#[test]
fn a_stall_shows_in_its_second() {
    let script = Script { stall: Some((STALL_AT, STALL)), ..Script::honest() };
    let (ran, _) = run(&script, &["--rate", "2000", "--warm-up", "0", "--duration", "4"]);
    let delivered: Vec<u64> =
        ran.value("/series").as_array().unwrap().iter().map(|s| s["delivered"].as_u64().unwrap()).collect();
    assert_eq!(delivered.len(), 4, "{delivered:?}");
    // The third second is silent, the fourth brings its messages as well.
    assert!(delivered[2] < 1_000, "{delivered:?}");
    assert!(delivered[3] > 3_000, "{delivered:?}");
}

/// One second of five: a fifth of the messages was late, evenly by 0 to 1 s.
#[track_caller]
fn check_stall(ran: &Ran, matched: u64) {
    assert_eq!(ran.value("/latency/messages").as_u64(), Some(matched), "all of them are measured");
    check_between("p50", corrected(ran, "p50"), 0.0, ABSURD_US);
    check_between("p90", corrected(ran, "p90"), 400_000.0, 600_000.0 + ABSURD_US);
    check_between("p99", corrected(ran, "p99"), 850_000.0, 1_000_000.0 + ABSURD_US);
    check_between("p99.9", corrected(ran, "p999"), 950_000.0, 1_000_000.0 + ABSURD_US);
    check_between("max", corrected(ran, "max"), 990_000.0, 1_000_000.0 + ABSURD_US);
}
