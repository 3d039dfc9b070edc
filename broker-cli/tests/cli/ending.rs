//! How the program ends: exit codes, signals, pipes, and connections that are not there or go away.

use std::{io::Write, net::TcpListener};

use crate::harness::{Broker, Running, command, eventually, nowhere, numbers};

#[test]
fn help_tells_the_exit_codes() {
    let help = Running::spawn(command(&["--help"])).end().ok();
    for code in ["0 ", "1 ", "2 ", "3 ", "4 ", "5 ", "130 "] {
        assert!(help.lines().any(|line| line.trim_start().starts_with(code)), "{code} in {help}");
    }
    let version = Running::spawn(command(&["--version"])).end().ok();
    assert_eq!(version, format!("broker {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn wrong_usage_is_2() {
    Running::spawn(command(&["pub"])).end().fails(2, "<TOPIC>");
    Running::spawn(command(&["shout"])).end().fails(2, "shout");
    Running::spawn(command(&["ping", "--addr", "not an address:x"])).end().fails(2, "is not an address");
}

#[test]
fn no_broker_is_3_and_says_how_to_start_one() {
    let addr = nowhere();
    for arguments in
        [&["pub", "t", "1"][..], &["sub", "t"], &["req", "t", "1"], &["topics"], &["metrics"], &["ping"]]
    {
        let outcome = Running::spawn(command(&[&["--addr", &addr], arguments].concat())).end();
        outcome.fails(3, &format!("error: no broker at {addr}\nhint: start one with `broker-server`"));
    }
}

#[test]
fn a_host_that_does_not_answer_is_4() {
    // Accepted by the system, never by a program.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = silent.local_addr().unwrap().to_string();
    let outcome = Running::spawn(command(&["ping", "-a", &addr, "--timeout", "100ms"])).end();
    outcome.fails(4, "did not answer as a broker does within 100ms");
}

#[test]
fn a_connection_that_is_lost_is_3() {
    let mut broker = Broker::start();
    let sub = broker.sub(&["t", "--format", "raw"]);
    broker.ok(&["pub", "t", "1"]);
    assert_eq!(sub.line(), "1");
    // Waits for a line that never comes.
    let mut publisher = broker.spawn(&["pub", "u"]);
    publisher.stdin.as_mut().unwrap().write_all(b"1\n").unwrap();
    eventually("the line", || broker.ok(&["topics", "--quiet"]).contains('u').then_some(()));
    broker.stop();
    sub.end().fails(3, "error: connection lost: the server said goodbye: shutting-down");
    publisher.ended().fails(3, "error: connection lost");
}

#[test]
fn reconnect_goes_on_after_a_loss() {
    let mut broker = Broker::start();
    let sub = broker.sub(&["t", "--format", "raw", "--reconnect"]);
    broker.ok(&["pub", "t", "1"]);
    assert_eq!(sub.line(), "1");
    broker.stop();
    sub.wait_for_err("connection lost");
    let broker = Broker::start_with(&broker.addr, |builder| builder);
    broker.ok(&["pub", "t", "2"]);
    assert_eq!(sub.line(), "2");
}

#[cfg(unix)]
#[test]
fn signals_end_in_good_order() {
    use rustix::process::Signal;
    let broker = Broker::start();
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        broker.ok(&["pub", "t", "1"]);
        let sub = broker.sub(&["t", "--format", "raw"]);
        assert_eq!(sub.line(), "1");
        sub.signal(signal);
        let outcome = sub.end();
        outcome.fails(code, "");
        assert!(!outcome.err.contains("error"), "{}", outcome.err);
        // One that waits for standard input.
        let publisher = broker.spawn(&["pub", "t", "-v"]);
        publisher.wait_for_err("connected to");
        publisher.signal(signal);
        publisher.ended().fails(code, "");
    }
}

/// `broker sub '*' | head -1`: the shell pipes, so the test sees what a user would.
#[cfg(unix)]
#[test]
fn a_reader_that_goes_away_is_no_error() {
    let broker = Broker::start();
    let lines = numbers(200_000);
    let publisher = std::thread::spawn({
        let addr = broker.addr.clone();
        move || {
            let mut publisher = Running::spawn(command(&["pub", "t", "-a", &addr]));
            // It ends with an error when the broker goes first.
            let _ = publisher.stdin.take().unwrap().write_all(lines.as_bytes());
            publisher.end()
        }
    });
    let mut shell = std::process::Command::new("/bin/sh");
    let script =
        format!("{{ {} sub t --format raw -q; echo $? >&2; }} | head -n 1", env!("CARGO_BIN_EXE_broker"));
    shell.arg("-c").arg(script).env("BROKER_ADDR", &broker.addr);
    let pipeline = Running::spawn(shell);
    assert!(!pipeline.line().is_empty());
    // It notices with its next write; until then there must be something to write.
    publisher.join().unwrap().ok();
    broker.ok(&["pub", "t", "the end", "--count", "3"]);
    let outcome = pipeline.end();
    assert_eq!(outcome.err.trim(), "0", "the exit code, and not a word beside it");
}

#[cfg(unix)]
#[test]
fn an_output_that_cannot_be_written_is_an_error() {
    // Linux alone has the device.
    let Ok(full) = std::fs::OpenOptions::new().write(true).open("/dev/full") else { return };
    let broker = Broker::start();
    broker.ok(&["pub", "t", "1"]);
    let mut shell = std::process::Command::new("/bin/sh");
    shell.arg("-c").arg(format!("{} topics > /dev/full", env!("CARGO_BIN_EXE_broker")));
    shell.env("BROKER_ADDR", &broker.addr);
    Running::spawn(shell).end().fails(1, "cannot write the output");
    drop(full);
}

#[test]
fn quiet_says_nothing_and_verbose_says_more() {
    let broker = Broker::start();
    assert_eq!(broker.run(&["pub", "t", "1"]).err, "");
    let outcome = broker.run(&["pub", "t", "1", "-v"]);
    assert!(
        outcome.err.contains("connected to broker-server")
            && outcome.err.contains("published 1 message to t")
    );
    assert!(
        broker.run(&["reply", "t", "--echo", "--timeout", "50ms", "-q"]).err.starts_with("error: no request")
    );
}
