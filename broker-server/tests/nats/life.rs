//! The life of a connection: what the server says first, how it asks for a sign of life, and how it ends.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{DEADLINE, Program, Setting, Wire, eventually, programs};

fn setting(name: &str, value: &str) -> Setting {
    (name.to_owned(), value.to_owned())
}

/// A connection and the `INFO` that it began with.
fn greeted(address: std::net::SocketAddr) -> (Wire, Value) {
    let mut wire = Wire::connect(address);
    let info = info(&wire.line());
    (wire, info)
}

fn info(line: &str) -> Value {
    let json = line.strip_prefix("INFO ").unwrap_or_else(|| panic!("INFO, not {line}"));
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"))
}

#[test]
fn the_first_line_says_who_is_there() {
    for program in programs() {
        let server = program.start(&[], &[]);
        let ((_a, first), (_b, second)) = (greeted(server.address), greeted(server.address));
        let text = |name: &str| first[name].as_str().unwrap_or_else(|| panic!("{name}: {first}")).to_owned();
        assert!(text("server_id").len() >= 16, "{first}");
        assert!(!text("server_name").is_empty());
        assert!(
            text("version").split('.').filter(|part| part.parse::<u32>().is_ok()).count() == 3,
            "{first}"
        );
        assert_eq!(text("host"), "127.0.0.1");
        assert_eq!(text("client_ip"), "127.0.0.1");
        assert_eq!(first["port"], server.address.port());
        assert_eq!(first["proto"], 1);
        assert_eq!(first["headers"], true);
        assert_eq!(first["max_payload"], 1_048_576);
        assert!(second["client_id"].as_u64() > first["client_id"].as_u64(), "{second}");
        // Clients take what is not there for no.
        for not in ["auth_required", "tls_required", "tls_available", "ldm", "jetstream"] {
            assert_ne!(first[not], true, "{not}: {first}");
        }
        assert_eq!(second["server_id"], first["server_id"]);
    }
}

#[test]
fn the_first_line_says_what_is_asked_for_and_how_the_server_is_called() {
    for program in programs() {
        let flags = ["--user", "alice", "--pass", "secret", "-n", "fred"];
        let server = program.start(&flags, &[setting("max_payload", "4096")]);
        let (_wire, info) = greeted(server.address);
        assert_eq!(info["auth_required"], true);
        assert_eq!(info["server_name"], "fred");
        assert_eq!(info["max_payload"], 4096);
    }
}

/// What we say beyond a bare line feed has to be what nats-server's clients expect: one line, and a `CRLF`.
#[test]
fn two_servers_have_two_ids() {
    for program in programs() {
        let (a, b) = (program.start(&[], &[]), program.start(&[], &[]));
        assert_ne!(greeted(a.address).1["server_id"], greeted(b.address).1["server_id"]);
    }
}

fn impatient() -> Vec<Setting> {
    vec![setting("ping_interval", "\"1s\""), setting("ping_max", "2")]
}

#[test]
fn who_does_not_answer_is_asked_twice_and_then_closed() {
    for program in programs() {
        let server = program.start(&[], &impatient());
        let begun = Instant::now();
        let mut wire = Wire::ready(server.address, "{\"verbose\":false}");
        assert_eq!([wire.line(), wire.line(), wire.line()], ["PING", "PING", "-ERR 'Stale Connection'"]);
        assert!(begun.elapsed() > Duration::from_millis(1_900), "{program:?}: {:?}", begun.elapsed());
        assert_eq!(wire.rest(), b"");
    }
}

#[test]
fn who_never_said_connect_is_asked_too() {
    for program in programs() {
        let server = program.start(&[], &impatient());
        let (mut wire, _) = greeted(server.address);
        assert_eq!([wire.line(), wire.line(), wire.line()], ["PING", "PING", "-ERR 'Stale Connection'"]);
        assert_eq!(wire.rest(), b"");
    }
}

#[test]
fn who_answers_stays() {
    for program in programs() {
        let server = program.start(&[], &impatient());
        let mut wire = Wire::ready(server.address, "{\"verbose\":false}");
        for _ in 0..4 {
            assert_eq!(wire.line(), "PING");
            wire.send("PONG\r\n");
        }
        wire.flush();
    }
}

#[test]
fn who_does_not_say_who_it_is_has_a_time_for_it() {
    for program in programs() {
        let server = program.start(&["--user", "alice", "--pass", "secret"], &[]);
        let begun = Instant::now();
        let (mut silent, _) = greeted(server.address);
        let mut known = Wire::ready(server.address, r#"{"verbose":false,"user":"alice","pass":"secret"}"#);
        assert_eq!(silent.line(), "-ERR 'Authentication Timeout'");
        assert!(begun.elapsed() > Duration::from_millis(900), "{:?}", begun.elapsed());
        assert_eq!(silent.rest(), b"");
        known.flush();
    }
}

/// A subscriber that does not read is closed once more waits for it than may; its publisher and everybody else go on.
#[test]
fn who_does_not_read_is_closed() {
    for program in programs() {
        let server = program.start(&[], &[setting("max_pending", "1048576")]);
        let mut slow = Wire::ready(server.address, "{\"verbose\":false}");
        slow.send("SUB life.slow 1\r\n");
        slow.flush();
        let mut other = Wire::ready(server.address, "{\"verbose\":false}");
        other.send("SUB life.other 1\r\n");
        other.flush();
        let mut publisher = Wire::ready(server.address, "{\"verbose\":false}");
        let payload = "x".repeat(64 << 10);
        for _ in 0..400 {
            publisher.send(format!("PUB life.slow {}\r\n{payload}\r\n", payload.len()));
        }
        publisher.send("PUB life.other 2\r\nab\r\n");
        // It may have taken so long that the server wants a sign of life.
        while other.line() != "MSG life.other 1 2" {}
        other.expect("ab\r\n");
        let got = slow.rest();
        assert!(got.len() < 24 << 20, "{} bytes came", got.len());
        // What comes is whole to the end, or cut off in the middle of a message, but never mixed up.
        let message = format!("MSG life.slow 1 {}\r\n{payload}\r\n", payload.len());
        let messages = got.chunks(message.len()).take_while(|chunk| *chunk == message.as_bytes()).count();
        let rest = &got[messages * message.len()..];
        let told = b"-ERR 'Slow Consumer'\r\n";
        assert!(message.as_bytes().starts_with(rest) || rest == told, "{}", String::from_utf8_lossy(rest));
    }
}

/// Clients that understand it are told to go before the server closes them.
#[test]
fn a_lame_duck_says_so() {
    for program in programs() {
        let server = program.start(&[], &[]);
        let mut wire = Wire::ready(server.address, "{\"verbose\":false,\"protocol\":1}");
        let mut old = Wire::ready(server.address, "{\"verbose\":false,\"protocol\":0}");
        server.signal("USR2");
        let info = info(&wire.line());
        assert_eq!(info["ldm"], true, "{info}");
        wire.flush();
        // One of protocol 0 knows INFO at the beginning alone.
        old.flush();
        eventually("nobody new is let in", || {
            std::net::TcpStream::connect_timeout(&server.address, DEADLINE).is_err()
        });
    }
}

/// nats-server closes at once at a TERM; we tell those who understand it first, and write what waits.
#[test]
fn the_end_of_the_server_is_told() {
    let mut server = Program::Ours.start(&[], &[]);
    let mut wire = Wire::ready(server.address, "{\"verbose\":false,\"protocol\":1}");
    wire.send("SUB life.end 1\r\nPUB life.end 2\r\nab\r\n");
    wire.expect("MSG life.end 1 2\r\nab\r\n");
    server.signal("TERM");
    let info = info(&wire.line());
    assert_eq!(info["ldm"], true, "{info}");
    assert_eq!(wire.rest(), b"");
    assert!(server.ends(), "without a complaint");
}
