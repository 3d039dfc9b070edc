//! `--checksum`: no byte can change unseen, wherever it stands.

use crate::fake::{Deed, Script, at};
use crate::support::{Checks, NONE, run};

/// Bytes of a payload: a stamp of 16, a checksum of 8, and filler.
const SIZE: usize = 64;

const PACE: [&str; 11] =
    ["--checksum", "--size", "64", "--rate", "2000", "--warm-up", "0", "--duration", "1", "--drain", "1.5"];

#[test]
fn an_honest_broker_is_found_honest() {
    let (ran, did) = run(&Script::honest(), &PACE);
    assert_eq!(did.payload_bytes, SIZE);
    ran.check(&did, NONE);
}

#[test]
fn every_bit_counts() {
    // One bit of each byte, of a message of its own; none of them one of those that are looked at closely anyway.
    let deeds = (0..SIZE).map(|byte| at(65 + 7 * byte as u64, Deed::Damage(byte, 1 << (byte % 8))));
    let (ran, did) = run(&Script::doing(deeds), &PACE);
    let checks = ran.checks();
    assert_eq!(checks.corrupt, SIZE as u64, "{}", ran.out);
    // Whatever else is thought of a changed message, nothing is made up of its stamp.
    assert_eq!(
        (checks.duplicated, checks.reordered, checks.skipped, checks.miscounted),
        (0, 0, 0, 0),
        "{}",
        ran.out
    );
    assert_eq!(checks.delivered + checks.lost, did.matched, "{}", ran.out);
    assert!(checks.lost <= SIZE as u64, "{}", ran.out);
    assert_eq!(ran.code(), 3);
}

#[test]
fn without_it_only_what_the_help_says_is_seen() {
    // The middle of a message that is not looked at closely.
    let args: Vec<&str> = PACE.iter().copied().filter(|&arg| arg != "--checksum").collect();
    let (ran, did) = run(&Script::doing([at(65, Deed::Damage(40, 1)), at(64, Deed::Damage(40, 1))]), &args);
    ran.check(&did, Checks { corrupt: 1, ..NONE });
}
