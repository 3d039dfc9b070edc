//! `--max`: a window instead of a schedule. What is told is the same.

use crate::fake::{Deed, Script, at, over};
use crate::support::{Checks, NONE, run};

const PACE: [&str; 7] = ["--max", "--warm-up", "0.1", "--duration", "0.5", "--drain", "1.5"];

#[test]
fn an_honest_broker_loses_nothing_at_full_speed() {
    let (ran, did) = run(&Script::honest(), &PACE);
    ran.check(&did, NONE);
    assert!(did.published > 1_000, "{did:?}");
    assert!(ran.value("/scenario/rate_per_s").is_null());
    assert!(ran.value("/scenario/window_messages").as_u64().is_some_and(|window| window > 0));
}

#[test]
fn the_window_is_kept() {
    // Nothing comes back: the window is sent, and no more.
    let script = Script::doing([over(0..u64::MAX, Deed::Drop)]);
    let (ran, did) = run(&script, &[&PACE[..], &["--window", "7"]].concat());
    assert_eq!(did.published, 7);
    ran.check(&did, Checks { lost: did.published, ..NONE });
}

#[test]
fn the_slowest_of_three_holds_the_window() {
    let script = Script::doing([over(100..u64::MAX, Deed::Drop).only(2)]);
    let (ran, did) = run(&script, &[&PACE[..], &["--window", "40", "--subs", "3"]].concat());
    assert!((101..=140).contains(&did.published), "{did:?}");
    ran.check(&did, Checks { lost: did.published - 100, ..NONE });
}

#[test]
fn a_loss_within_the_window_does_not_stop_it() {
    let script = Script::doing([at(20, Deed::Drop), at(31, Deed::Twice)]);
    let (ran, did) = run(&script, &[&PACE[..], &["--window", "8"]].concat());
    assert!(did.published > 100, "{did:?}");
    ran.check(&did, Checks { lost: 1, duplicated: 1, ..NONE });
}
