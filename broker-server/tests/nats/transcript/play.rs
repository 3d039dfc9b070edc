//! Plays a row to a server and compares the answers.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::parse::escape;
use super::{Row, Step};
use crate::support::Wire;

/// How what is sent is cut into writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// One write for a step.
    Whole,
    /// Writes of one byte; of some more where the row is long.
    Bytes,
}

/// What the server did otherwise; `Ok` if nothing.
pub(crate) fn play(row: &Row, address: SocketAddr, cut: Cut) -> Result<(), String> {
    let mut connections: BTreeMap<char, Wire> = BTreeMap::new();
    let mut left_open = Vec::new();
    for (line, step) in &row.steps {
        let name = step.connection();
        let wire = connections.entry(name).or_insert_with(|| open(address));
        let wrong = |what: String, wire: &Wire| {
            let end = if wire.ended() { ", then the end" } else { "" };
            Err(format!("line {line}: {what}\n     came: {:?}{end}", escape(&wire.buffer)))
        };
        match step {
            // Where it is closed already, the next step tells.
            Step::Send(_, bytes) => send(wire, bytes, cut),
            Step::Expect(_, expected) => {
                wire.read_until(|bytes| bytes.len() >= expected.len());
                if !wire.buffer.starts_with(expected) {
                    return wrong(format!("expected: {:?}", escape(expected)), wire);
                }
                wire.buffer.drain(..expected.len());
            }
            Step::InAnyOrder(_, lines) => {
                let mut missing = lines.clone();
                while !missing.is_empty() {
                    let first = |bytes: &[u8]| missing.iter().position(|line| bytes.starts_with(line));
                    if !wire.read_until(|bytes| first(bytes).is_some()) {
                        let missing: Vec<_> = missing.iter().map(|line| escape(line)).collect();
                        return wrong(format!("expected in any order: {missing:?}"), wire);
                    }
                    let line = missing.swap_remove(first(&wire.buffer).unwrap());
                    wire.buffer.drain(..line.len());
                }
            }
            Step::Closed(_) => {
                wire.read_until(|bytes| !bytes.is_empty());
                if !wire.buffer.is_empty() || !wire.ended() {
                    return wrong("expected: the end of the connection".to_owned(), wire);
                }
            }
            Step::LeftOpen(name) => left_open.push(*name),
        }
    }
    for (name, mut wire) in connections {
        if !wire.ended() && !left_open.contains(&name) {
            wire.try_send(b"PING\r\n");
            wire.read_until(|bytes| bytes.len() >= 6);
            if wire.buffer != b"PONG\r\n" {
                return Err(format!("at the end {name} came to: {:?}", escape(&wire.buffer)));
            }
        }
        // A subscription that outlives its row is one more for the next row that uses the same subject.
        if !wire.leave() {
            return Err(format!("at the end {name} is not closed, though it has said its last"));
        }
    }
    Ok(())
}

/// Opens a connection and reads its `INFO`, if that is what comes first.
pub(super) fn open(address: SocketAddr) -> Wire {
    let mut wire = Wire::connect(address);
    let whole = |bytes: &[u8]| bytes.windows(2).any(|end| end == b"\r\n");
    if wire.read_until(whole) && wire.buffer.starts_with(b"INFO {") {
        wire.line();
    }
    wire
}

fn send(wire: &mut Wire, bytes: &[u8], cut: Cut) {
    let piece = match cut {
        Cut::Whole => bytes.len().max(1),
        Cut::Bytes => bytes.len().div_ceil(2_000).max(1),
    };
    for piece in bytes.chunks(piece) {
        if !wire.try_send(piece) {
            return;
        }
    }
}
