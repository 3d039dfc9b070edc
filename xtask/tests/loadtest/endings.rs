//! How runs end that cannot go well: with which code, and in which words.

use std::net::TcpListener;
use std::time::Duration;

use crate::fake::{Deed, Fake, Manner, Protocol, Script, at};
use crate::support::{Ran, for_each, run, start_at, with_usual};

const PACE: [&str; 8] = ["--rate", "2000", "--warm-up", "0", "--duration", "1", "--drain", "1.5"];

/// Nothing here takes that long; what is stuck takes forever.
const SOON: Duration = Duration::from_secs(20);

/// One row: what the broker does, and what the user is told.
struct Row {
    does: &'static str,
    script: Script,
    args: &'static [&'static str],
    says: &'static [&'static str],
}

fn row(does: &'static str, script: Script, says: &'static [&'static str]) -> Row {
    Row { does, script, args: &[], says }
}

#[track_caller]
fn check_error(ran: &Ran, says: &[&str]) {
    assert_eq!(ran.code(), 1, "{}\n{}", ran.out, ran.err);
    for words in says {
        assert!(ran.err.contains(words), "no {words:?} in: {}", ran.err);
    }
    assert!(ran.err.contains("error: "), "{}", ran.err);
    assert_eq!(ran.json, None, "there is no result");
}

#[test]
fn a_broker_that_breaks_off_is_an_error_that_says_so() {
    let deed = |deed| Script::doing([at(500, deed)]);
    let rows = [
        row("closes at once", Script::receiving(Manner::Closes), &["connection"]),
        row("babbles", Script::receiving(Manner::Babbles), &["no native frame", "what is this?"]),
        row("refuses Hello", Script::receiving(Manner::RefusesHello), &["error 3", "no such topic today"]),
        row("refuses a subscribe", Script::receiving(Manner::RefusesSubscribe), &["error 3"]),
        row("says nothing", Script::receiving(Manner::Silent), &["no greeting from the server within"]),
        row(
            "goes mute after the greeting",
            Script::receiving(Manner::GoesMute),
            &["no answer to a ping from the server within"],
        ),
        row("closes in the middle", deed(Deed::Close), &["lost its connection"]),
        row("says goodbye in the middle", deed(Deed::Goodbye), &["shutting-down: it is late"]),
        row("refuses in the middle", deed(Deed::Refuse), &["error 3: no such topic today"]),
        row("sends a byte that no frame begins with", deed(Deed::Say(b"\xc1")), &["broken frame"]),
        row("sends a number for a frame", deed(Deed::Say(b"\x07")), &["broken frame"]),
        Row {
            args: &["--size", "65536", "--rate", "1000"],
            ..row(
                "takes nothing any more",
                Script { deaf_from: Some(100), ..Script::honest() },
                &["did not take the last messages"],
            )
        },
    ];
    for_each(
        &rows,
        |row| row.does.to_owned(),
        |row| {
            let (ran, _) = run(&row.script, &with_usual(&PACE, row.args));
            check_error(&ran, row.says);
        },
    );
}

#[test]
fn an_address_without_a_broker_is_named() {
    // Bound and let go: nobody listens there.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let ran = start_at(address, &PACE).end();
    check_error(&ran, &[&address.to_string(), "onnect"]);
}

/// Starts a run, and ends it with Ctrl-C once `ready` holds.
#[cfg(unix)]
#[track_caller]
fn interrupt(script: Script, ready: impl Fn(&crate::fake::Did) -> bool) {
    use rustix::process::{Signal, kill_process};

    let fake = Fake::start(Protocol::Native, script);
    let running = start_at(fake.address(), &["--rate", "1000", "--duration", "600"]);
    assert!(fake.wait_until(SOON, ready), "it does not get that far");
    kill_process(running.pid(), Signal::INT).unwrap();
    let ran = running.end();
    assert_eq!(ran.code(), 130, "{}", ran.err);
    assert!(ran.err.contains("interrupted"), "{}", ran.err);
    assert_eq!(ran.json, None, "half a run is no result");
    fake.finish();
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_a_run_and_is_no_result() {
    interrupt(Script::honest(), |did| did.published > 100);
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_the_wait_for_a_broker_that_says_nothing() {
    interrupt(Script::receiving(Manner::Silent), |did| did.connections > 0);
    interrupt(Script::receiving(Manner::GoesMute), |did| did.connections > 0);
}
