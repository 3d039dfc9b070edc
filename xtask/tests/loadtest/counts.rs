//! What is done to the messages, and what must be counted: every figure, exactly.

use std::time::Duration;

use crate::fake::{At, Deed, Did, Script, at, over};
use crate::support::{Checks, NONE, for_each, run, with_usual};

/// Two thousand messages and more, so that every number below is certainly sent.
const PACE: [&str; 8] = ["--rate", "2000", "--warm-up", "0.2", "--duration", "1", "--drain", "1.5"];

/// Within the drain time, and long after everything else.
const LATE: Duration = Duration::from_millis(200);

/// Where the parts of a stamp stand in a payload.
const NUMBER_LOW: usize = 0;
const NUMBER_HIGH: usize = 4;
const PUBLISHER: usize = 5;

/// One row.
struct Row {
    does: &'static str,
    args: &'static [&'static str],
    script: Script,
    /// What must be reported beside what was sent and to be delivered.
    want: fn(&Did) -> Checks,
}

fn row(does: &'static str, deeds: impl IntoIterator<Item = At>, want: fn(&Did) -> Checks) -> Row {
    Row { does, args: &[], script: Script::doing(deeds), want }
}

impl Row {
    fn with(self, args: &'static [&'static str]) -> Row {
        Row { args, ..self }
    }
}

fn check(row: &Row) {
    let (ran, did) = run(&row.script, &with_usual(&PACE, row.args));
    ran.check(&did, (row.want)(&did));
}

#[track_caller]
fn check_all(rows: &[Row]) {
    for_each(rows, |row| row.does.to_owned(), check);
}

#[test]
fn an_honest_broker_is_found_honest() {
    check_all(&[
        row("nothing", [], |_| NONE),
        row("nothing, to three", [], |_| NONE).with(&["--subs", "3"]),
        row("nothing, from three", [], |_| NONE).with(&["--pubs", "3"]),
        row("nothing, in pairs", [], |_| NONE).with(&["--pairs", "3"]),
        row("nothing, on five topics", [], |_| NONE).with(&["--topics", "5"]),
        row("nothing, on five topics of which two are heard", [], |_| NONE).with(&[
            "--topics",
            "5",
            "--subscribe",
            "load/1",
            "--subscribe",
            "load/4",
        ]),
        row("nothing, with large payloads", [], |_| NONE).with(&["--size", "70000", "--rate", "100"]),
        row("nothing, with the smallest payloads", [], |_| NONE).with(&["--size", "16"]),
        Row {
            script: Script { in_pieces: true, ..Script::honest() },
            ..row("nothing, but every frame comes in two pieces", [], |_| NONE)
        },
        row("asks for signs of life", [at(100, Deed::Ask), at(900, Deed::Ask)], |did| {
            assert_eq!(did.pongs, 2, "answers to two pings");
            NONE
        }),
        row("asks those who publish themselves", [at(10, Deed::Ask), at(90, Deed::Ask)], |did| {
            // Each of the two is asked at both numbers of both; one answer will do for two questions in a row.
            assert!((4..=8).contains(&did.pongs), "{} answers to eight pings", did.pongs);
            NONE
        })
        .with(&["--clients", "2"]),
    ]);
}

#[test]
fn what_never_comes_is_lost() {
    check_all(&[
        row("drops one", [at(700, Deed::Drop)], |_| Checks { lost: 1, ..NONE }),
        row("drops the first", [at(0, Deed::Drop)], |_| Checks { lost: 1, ..NONE }),
        row(
            "drops three here and there",
            [at(1, Deed::Drop), at(50, Deed::Drop), at(999, Deed::Drop)],
            |_| Checks { lost: 3, ..NONE },
        ),
        row("drops a hundred in a row", [over(500..600, Deed::Drop)], |_| Checks { lost: 100, ..NONE }),
        row("drops all from some message on", [over(1_000..u64::MAX, Deed::Drop)], |did| Checks {
            lost: did.published - 1_000,
            ..NONE
        }),
        row("drops everything", [over(0..u64::MAX, Deed::Drop)], |did| Checks { lost: did.matched, ..NONE }),
        row("drops ten for one of three", [over(200..210, Deed::Drop).only(1)], |_| Checks {
            lost: 10,
            ..NONE
        })
        .with(&["--subs", "3"]),
        row("drops ten of each of two publishers", [over(200..210, Deed::Drop)], |_| Checks {
            lost: 20,
            ..NONE
        })
        .with(&["--pubs", "2"]),
        row("sends half a message, and nothing after it", [at(800, Deed::HalfThenSilence)], |did| Checks {
            lost: did.published - 800,
            ..NONE
        }),
    ]);
}

#[test]
fn what_comes_twice_or_late_is_told_apart() {
    check_all(&[
        row("doubles one", [at(300, Deed::Twice)], |_| Checks { duplicated: 1, ..NONE }),
        row("doubles fifty", [over(300..350, Deed::Twice)], |_| Checks { duplicated: 50, ..NONE }),
        row("repeats one much later", [at(10, Deed::Again(1_000))], |_| Checks { duplicated: 1, ..NONE }),
        row("swaps two", [at(400, Deed::Later(1))], |_| Checks { reordered: 1, ..NONE }),
        row("brings one much later", [at(5, Deed::Later(1_200))], |_| Checks { reordered: 1, ..NONE }),
        row("brings one late, and then again", [at(5, Deed::Later(10)), at(5, Deed::Again(20))], |_| {
            Checks { reordered: 1, duplicated: 1, ..NONE }
        }),
        row("brings twenty after the twenty behind them", [over(600..620, Deed::Later(20))], |_| Checks {
            reordered: 20,
            ..NONE
        }),
        row("brings one 200 ms after the last", [at(2_390, Deed::Apart(LATE))], |did| {
            assert_eq!(did.published, 2_400, "the schedule is kept");
            Checks { reordered: 1, ..NONE }
        }),
        row("swaps two for one of two", [at(400, Deed::Later(1)).only(0)], |_| Checks {
            reordered: 1,
            ..NONE
        })
        .with(&["--subs", "2"]),
    ]);
}

#[test]
fn what_is_changed_is_corrupt() {
    check_all(&[
        row("changes the last byte", [at(301, Deed::Damage(127, 1))], |_| Checks { corrupt: 1, ..NONE }),
        row(
            "changes a byte of a message that is looked at closely",
            [at(64, Deed::Damage(70, 0x80))],
            |_| Checks { corrupt: 1, ..NONE },
        ),
        row("changes the last byte of forty", [over(400..440, Deed::Damage(127, 0xff))], |_| Checks {
            corrupt: 40,
            ..NONE
        }),
        row("cuts one short", [at(302, Deed::Shorten)], |_| Checks { corrupt: 1, ..NONE }),
        row("changes whose it is", [at(303, Deed::Damage(PUBLISHER, 7))], |_| Checks {
            corrupt: 1,
            lost: 1,
            ..NONE
        }),
        row("changes its number to one far ahead", [at(304, Deed::Damage(NUMBER_HIGH, 0x10))], |_| Checks {
            corrupt: 1,
            lost: 1,
            ..NONE
        }),
        row("says that it was sent in the future", [at(305, Deed::Damage(12, 0x40))], |_| Checks {
            corrupt: 1,
            lost: 1,
            ..NONE
        }),
        row("leads one astray", [at(306, Deed::Astray("load/9"))], |_| Checks {
            corrupt: 1,
            lost: 1,
            ..NONE
        }),
        row("takes one topic for another", [at(307, Deed::Astray("load/0"))], |_| Checks {
            corrupt: 1,
            lost: 1,
            ..NONE
        })
        .with(&["--topics", "2"]),
        row("gives an older number to it", [at(308, Deed::Damage(NUMBER_LOW, 4))], |_| Checks {
            duplicated: 1,
            lost: 1,
            ..NONE
        }),
    ]);
}

#[test]
fn what_the_broker_owns_up_to_is_skipped() {
    let drops = || over(500..510, Deed::Drop);
    check_all(&[
        row("tells what it dropped", [drops(), at(510, Deed::Tell(10))], |_| Checks { skipped: 10, ..NONE }),
        row("tells it in two parts", [drops(), at(510, Deed::Tell(4)), at(520, Deed::Tell(6))], |_| Checks {
            skipped: 10,
            ..NONE
        }),
        row("tells too few", [drops(), at(510, Deed::Tell(4))], |_| Checks { skipped: 4, lost: 6, ..NONE }),
        row("tells too many", [drops(), at(510, Deed::Tell(15))], |_| Checks {
            skipped: 15,
            miscounted: 5,
            ..NONE
        }),
        row("tells what it did not do", [at(510, Deed::Tell(3))], |_| Checks {
            skipped: 3,
            miscounted: 3,
            ..NONE
        }),
        row("tells the wrong one", [drops().only(0), at(510, Deed::Tell(10)).only(1)], |_| Checks {
            skipped: 10,
            lost: 10,
            miscounted: 10,
            ..NONE
        })
        .with(&["--subs", "2"]),
        row(
            "drops all of the first half and tells it",
            [over(0..1_000, Deed::Drop), at(1_000, Deed::Tell(1_000))],
            |_| Checks { skipped: 1_000, ..NONE },
        ),
    ]);
}
