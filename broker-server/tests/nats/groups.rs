//! Groups over raw connections: everybody gets a share, and nobody waits for one who does not read.

use crate::support::{Wire, programs};

/// Messages of sid `1` that have come; each has a payload of one byte.
fn count(wire: &mut Wire, subject: &str) -> usize {
    wire.send("PING\r\n");
    wire.read_until(|bytes| bytes.ends_with(b"PONG\r\n"));
    let all = std::mem::take(&mut wire.buffer);
    let all = all.strip_suffix(b"PONG\r\n").expect("an answer");
    let message = format!("MSG {subject} 1 1\r\nx\r\n");
    assert!(all.chunks(message.len()).all(|chunk| chunk == message.as_bytes()));
    all.len() / message.len()
}

fn members(address: std::net::SocketAddr, lines: &[&str]) -> Vec<Wire> {
    let member = |line: &&str| {
        let mut wire = Wire::ready(address, "{\"verbose\":false}");
        wire.send(format!("{line}\r\n"));
        wire.flush();
        wire
    };
    lines.iter().map(member).collect()
}

fn publish(address: std::net::SocketAddr, subject: &str, count: usize) {
    let mut publisher = Wire::ready(address, "{\"verbose\":false}");
    publisher.send(format!("PUB {subject} 1\r\nx\r\n").repeat(count));
    publisher.flush();
}

/// Each has its share, give or take six standard deviations of a fair choice.
#[track_caller]
fn assert_fair(counts: &[usize], all: usize) {
    assert_eq!(counts.iter().sum::<usize>(), all, "{counts:?}");
    let members = counts.len();
    let most = 6 * (all * (members - 1)).isqrt() / members;
    assert!(counts.iter().all(|&count| count.abs_diff(all / members) <= most), "{counts:?}, ±{most}");
}

#[test]
fn everybody_gets_a_share() {
    for program in programs() {
        let server = program.start(&[], &[]);
        let mut wires = members(server.address, &["SUB group.fair workers 1"; 4]);
        publish(server.address, "group.fair", 8_000);
        let counts: Vec<usize> = wires.iter_mut().map(|wire| count(wire, "group.fair")).collect();
        assert_fair(&counts, 8_000);
    }
}

/// A group is its name: it does not matter over which pattern somebody joined.
#[test]
fn members_on_different_patterns_share() {
    for program in programs() {
        let server = program.start(&[], &[]);
        let lines = ["SUB group.a.b workers 1", "SUB group.*.b workers 1", "SUB group.> workers 1"];
        let mut wires = members(server.address, &lines);
        publish(server.address, "group.a.b", 6_000);
        let counts: Vec<usize> = wires.iter_mut().map(|wire| count(wire, "group.a.b")).collect();
        assert_fair(&counts, 6_000);
    }
}

#[test]
fn two_groups_share_each_for_itself() {
    for program in programs() {
        let server = program.start(&[], &[]);
        let lines = ["SUB group.x one 1", "SUB group.x one 1", "SUB group.x two 1", "SUB group.x two 1"];
        let mut wires = members(server.address, &lines);
        publish(server.address, "group.x", 4_000);
        let counts: Vec<usize> = wires.iter_mut().map(|wire| count(wire, "group.x")).collect();
        assert_fair(&counts[..2], 4_000);
        assert_fair(&counts[2..], 4_000);
    }
}

/// Members that come and go while messages flow: each message goes to one of them, none is lost and none comes twice.
#[test]
fn a_member_that_leaves_takes_nothing_with_it() {
    for program in programs() {
        let server = program.start(&[], &[]);
        let mut wires = members(server.address, &["SUB group.leave workers 1"; 2]);
        publish(server.address, "group.leave", 1_000);
        wires[1].send("UNSUB 1\r\n");
        let left = count(&mut wires[1], "group.leave");
        publish(server.address, "group.leave", 1_000);
        let stayed = count(&mut wires[0], "group.leave");
        assert_eq!(left + stayed, 2_000);
        assert!(stayed > 1_000, "{stayed}");
        assert_eq!(count(&mut wires[1], "group.leave"), 0);
    }
}
