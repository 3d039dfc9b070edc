//! Who this is: to a broker that asks, from flags and from the environment; and that nothing shows a secret.

use broker_server::config::Auth;

use crate::harness::{Broker, Outcome, Running, command};

const SECRET: &str = "hunter42";

/// A broker that knows a token and a user.
fn asking() -> Broker {
    let auth =
        Auth { token: Some(SECRET.parse().unwrap()), users: format!("alice:{SECRET}").parse().unwrap() };
    Broker::start_with("127.0.0.1:0", |builder| builder.auth(auth))
}

/// A ping with these flags and variables.
fn ping(broker: &Broker, flags: &[&str], environment: &[(&str, &str)]) -> Outcome {
    let mut command = command(&[&["ping", "-n", "1", "-vv", "--timeout", "60s"], flags].concat());
    command.env("BROKER_ADDR", &broker.addr).envs(environment.iter().copied());
    let outcome = Running::spawn(command).end();
    assert!(!outcome.err.contains(SECRET) && !outcome.text().contains(SECRET), "{outcome:?}");
    outcome
}

#[test]
fn who_is_known_comes_in() {
    let broker = asking();
    ping(&broker, &["--token", SECRET], &[]).ok();
    ping(&broker, &["--user", "alice", "--password", SECRET], &[]).ok();
    ping(&broker, &[], &[("BROKER_TOKEN", SECRET)]).ok();
    ping(&broker, &[], &[("BROKER_USER", "alice"), ("BROKER_PASSWORD", SECRET)]).ok();
    ping(&broker, &["--user", "alice"], &[("BROKER_PASSWORD", SECRET), ("BROKER_TOKEN", "")]).ok();
}

#[test]
fn who_is_not_is_told_why_and_what_to_do() {
    let broker = asking();
    let outcome = ping(&broker, &[], &[]);
    outcome.fails(1, "the server asks who this is");
    outcome.fails(1, "hint: set BROKER_TOKEN, or BROKER_USER and BROKER_PASSWORD");
    ping(&broker, &["--token", "wrong"], &[]).fails(1, "the server does not accept this token");
    let wrong = "the server does not accept user \"alice\" with this password";
    ping(&broker, &["--user", "alice", "--password", "wrong"], &[("BROKER_TOKEN", SECRET)]).fails(1, wrong);
    ping(&broker, &["--user", "alice"], &[]).fails(2, "user \"alice\" needs a password");
    ping(&broker, &["--password", SECRET], &[]).fails(2, "a password needs a user");
    ping(&broker, &["--user", "alice", "--token", SECRET], &[]).fails(2, "exclude each other");
}

#[test]
fn help_does_not_show_the_environment_of_secrets() {
    let mut help = command(&["ping", "--help"]);
    help.env("BROKER_TOKEN", SECRET).env("BROKER_PASSWORD", SECRET);
    let help = Running::spawn(help).end().ok();
    assert!(help.contains("BROKER_PASSWORD") && !help.contains(SECRET), "{help}");
}

/// A broker that asks nobody takes everybody.
#[test]
fn a_login_that_nobody_asked_for_does_no_harm() {
    ping(&Broker::start(), &["--user", "alice", "--password", SECRET], &[]).ok();
}
