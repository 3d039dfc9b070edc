//! The other protocols: the same books, whatever the messages travel in.

use crate::fake::{Deed, Did, Protocol, Script, at, over};
use crate::support::{Checks, NONE, for_each, run_with, with_usual};

const PROTOCOLS: [(Protocol, &str); 3] =
    [(Protocol::Nats, "nats"), (Protocol::Redis, "redis"), (Protocol::Mqtt, "mqtt")];
const PACE: [&str; 8] = ["--rate", "2000", "--warm-up", "0.1", "--duration", "0.6", "--drain", "1.5"];
/// The last byte of a payload of 128 bytes, and the publisher in its stamp.
const LAST: usize = 127;
const PUBLISHER: usize = 5;

/// One row, for each protocol.
struct Row {
    does: &'static str,
    args: &'static [&'static str],
    script: Script,
    want: Checks,
}

fn row(does: &'static str, script: Script, want: Checks) -> Row {
    Row { does, args: &[], script, want }
}

fn rows() -> Vec<Row> {
    let doing = |deeds: &[_]| Script::doing(deeds.iter().cloned());
    vec![
        row("nothing", Script::honest(), NONE),
        Row { args: &["--subs", "3", "--pubs", "2"], ..row("nothing, to three", Script::honest(), NONE) },
        Row { args: &["--topics", "4"], ..row("nothing, on four topics", Script::honest(), NONE) },
        Row { args: &["--size", "70000", "--rate", "200"], ..row("large ones", Script::honest(), NONE) },
        row("all in two pieces", Script { in_pieces: true, ..Script::honest() }, NONE),
        row(
            "drops and doubles",
            doing(&[over(100..107, Deed::Drop), at(300, Deed::Twice), at(302, Deed::Again(50))]),
            Checks { lost: 7, duplicated: 2, ..NONE },
        ),
        row("swaps two", doing(&[at(400, Deed::Later(1))]), Checks { reordered: 1, ..NONE }),
        row(
            "changes bytes",
            doing(&[over(200..203, Deed::Damage(LAST, 4)), at(500, Deed::Damage(PUBLISHER, 9))]),
            Checks { corrupt: 4, lost: 1, ..NONE },
        ),
        row("cuts one short", doing(&[at(204, Deed::Shorten)]), Checks { corrupt: 1, ..NONE }),
        row(
            "leads one astray",
            doing(&[at(205, Deed::Astray("astray"))]),
            Checks { corrupt: 1, lost: 1, ..NONE },
        ),
    ]
}

#[track_caller]
fn check(protocol: Protocol, name: &str, row: &Row) -> Did {
    let args = [&["--protocol", name], &with_usual(&PACE, row.args)[..]].concat();
    let (ran, did) = run_with(protocol, &row.script, &args);
    ran.check(&did, row.want);
    did
}

#[test]
fn every_protocol_keeps_the_same_books() {
    let rows = rows();
    let all: Vec<_> = PROTOCOLS.iter().flat_map(|of| rows.iter().map(move |row| (of, row))).collect();
    for_each(
        &all,
        |((_, name), row)| format!("{name}: {}", row.does),
        |((protocol, name), row)| {
            check(*protocol, name, row);
        },
    );
}

#[test]
fn a_sign_of_life_is_given() {
    let asks = row("asks", Script::doing([at(10, Deed::Ask), at(500, Deed::Ask)]), NONE);
    assert_eq!(check(Protocol::Nats, "nats", &asks).pongs, 2);
}

#[test]
fn of_messages_to_nobody_the_server_says_how_many_it_took() {
    let usual = ["--warm-up", "0.1", "--duration", "0.3", "--drain", "1.5"];
    for (protocol, name) in PROTOCOLS.into_iter().chain([(Protocol::Native, "native")]) {
        for pace in [&["--rate", "2000"][..], &["--max", "--window", "50"]] {
            let args = [&["nobody", "--protocol", name], &usual[..], pace].concat();
            let (ran, did) = run_with(protocol, &Script::honest(), &args);
            let sent = did.published;
            assert!(sent > 50, "{name}: {did:?}");
            let want = Checks { sent, expected: sent, delivered: sent, ..NONE };
            assert_eq!(ran.checks(), want, "{name}\n{}{}", ran.out, ran.err);
        }
    }
}
