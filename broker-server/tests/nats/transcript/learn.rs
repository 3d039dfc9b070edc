//! Writes nats-server's answers into a transcript.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::parse::escape;
use super::play::open;
use super::{Row, Step};
use crate::support::Wire;

/// How long nothing comes until nothing more will: far longer than a server on the same machine takes.
const QUIET: Duration = Duration::from_millis(150);

/// The row's lines of `text` with the answers that the server gives to what is sent in them. Other answers are replaced, but those in any order kept:
/// nobody knows from one look that an order is by chance.
pub(crate) fn learn(row: &Row, text: &str, address: SocketAddr) -> String {
    let mut connections: BTreeMap<char, Wire> = BTreeMap::new();
    let mut gone = Vec::new();
    let mut learned = String::new();
    let rest_of_text = text.lines().enumerate().skip(row.line - 1);
    let lines = rest_of_text.take_while(|(index, line)| *index + 1 == row.line || !line.starts_with("== "));
    for (index, line) in lines {
        let step = row.steps.iter().find(|(number, _)| *number == index + 1).map(|(_, step)| step);
        match step {
            Some(Step::Expect(..) | Step::Closed(_)) => continue,
            Some(Step::InAnyOrder(..)) => panic!("line {}: cannot learn what has no order", index + 1),
            None if line.get(1..3) == Some("<~") => {
                panic!("line {}: cannot learn what has no order", index + 1)
            }
            Some(Step::Send(..) | Step::LeftOpen(_)) | None => {}
        }
        learned = learned + line + "\n";
        if let Some(Step::Send(name, bytes)) = step {
            connections.entry(*name).or_insert_with(|| open(address)).try_send(bytes);
            for (name, wire) in &mut connections {
                while wire.read_some(QUIET) {}
                let came = std::mem::take(&mut wire.buffer);
                let mut rest = &came[..];
                while let Some(end) = rest.windows(2).position(|end| end == b"\r\n") {
                    // The server's own PING comes by the clock.
                    if &rest[..end] != b"PING" {
                        learned = learned + format!("{name}< {}", escape(&rest[..end])).trim_end() + "\n";
                    }
                    rest = &rest[end + 2..];
                }
                assert!(rest.is_empty(), "line {}: no end of a line: {}", index + 1, escape(rest));
                if wire.ended() && !gone.contains(name) {
                    gone.push(*name);
                    learned = learned + &name.to_string() + "<!\n";
                }
            }
        }
    }
    learned
}
