//! Resident memory of a broker: for each idle connection, and for each topic with a retained message.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use broker_core::wire::native::{PublishOptions, encode};
use serde::Serialize;

use super::bench::Bench;
use super::peer::Peer;
use super::progress;
use super::report::{Table, bytes, grouped};
use super::session::{Session, connect};
use crate::process::Process;
use crate::{procfs, signal};

/// How long memory has to stay where it is before it is read, and between two looks at it.
const SETTLE: Duration = Duration::from_millis(500);
/// How long to wait for that, and for the broker to take all connections in.
const SETTLE_MAX: Duration = Duration::from_secs(20);
/// A change of resident memory below this is none.
const SETTLED_BYTES: u64 = 64 << 10;
/// Bytes of frames sent at once.
const BLOCK_BYTES: usize = 64 << 10;

/// One measurement.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct MemoryRow {
    /// What there are many of.
    what: String,
    count: usize,
    resident_before: u64,
    resident_after: u64,
    bytes_each: f64,
    /// The bound of docs/performance.md.
    bytes_each_max: f64,
    reached: bool,
}

impl MemoryRow {
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    fn new(what: String, count: usize, before: u64, after: u64, bytes_each_max: f64) -> Self {
        let bytes_each = (after as f64 - before as f64) / count.max(1) as f64;
        let reached = bytes_each < bytes_each_max;
        Self {
            what,
            count,
            resident_before: before,
            resident_after: after,
            bytes_each,
            bytes_each_max,
            reached,
        }
    }
}

/// Connects `count` clients that stay idle, after a `Hello` or without a word.
pub(crate) fn idle(bench: &Bench, count: usize, hello: bool) -> Result<MemoryRow> {
    let files = procfs::raise_open_files();
    let needed = count as u64 + 100;
    ensure!(
        files.is_none_or(|files| files >= needed),
        "{count} connections need {needed} open files, and the system allows {}: raise `ulimit -n`",
        files.unwrap_or_default()
    );
    let mut process = bench.start(Peer::Broker)?;
    let mut watcher = Session::connect(process.address(), "loadtest --idle")?;
    watcher.flush()?;
    let before = settled(&mut process)?;
    let mut plain: Vec<TcpStream> = Vec::new();
    let mut sessions: Vec<Session> = Vec::new();
    for number in 0..count {
        signal::check()?;
        if hello {
            sessions.push(Session::connect(process.address(), &format!("idle {number}"))?);
        } else {
            plain.push(connect(process.address())?);
        }
        progress::count("idle connections", number as u64 + 1, count as u64);
    }
    wait_for_files(&mut process, count)?;
    let after = settled(&mut process)?;
    drop((plain, sessions, watcher));
    let what = if hello { "idle connection that said Hello" } else { "idle connection" };
    Ok(MemoryRow::new(what.to_owned(), count, before, after, 8.0 * 1024.0))
}

/// Publishes one message of `size` bytes to each of `count` topics, and counts that they are all kept.
pub(crate) fn retained(bench: &Bench, count: usize, size: usize) -> Result<MemoryRow> {
    let mut process = bench.start(Peer::Broker)?;
    let mut session = Session::connect(process.address(), "loadtest --retained-topics")?;
    session.flush()?;
    let before = settled(&mut process)?;
    let mut value = vec![0xc6];
    value.extend_from_slice(&u32::try_from(size).context("--size is too large")?.to_be_bytes());
    value.resize(value.len() + size, 0x5a);
    let mut frames = Vec::new();
    for number in 0..count {
        encode::publish(&mut frames, &format!("retained/{number}"), &value, &PublishOptions::default());
        if frames.len() >= BLOCK_BYTES {
            signal::check()?;
            session.send(&frames)?;
            frames.clear();
        }
        progress::count("retained topics", number as u64 + 1, count as u64);
    }
    session.send(&frames)?;
    session.flush()?;
    let after = settled(&mut process)?;
    let kept = Session::connect(process.address(), "loadtest counts")?.count_retained("retained/*")?;
    ensure!(kept == count as u64, "{} of {} topics are kept", grouped(kept), grouped(count as u64));
    Ok(MemoryRow::new(format!("topic with a retained message of {size} B"), count, before, after, 1024.0))
}

/// The rows.
pub(crate) fn table(rows: &[MemoryRow]) -> Table {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "shown as whole bytes, above 0"
    )]
    let show = |row: &MemoryRow| {
        let verdict = if row.reached { "reached" } else { "NOT reached" };
        vec![
            row.what.clone(),
            grouped(row.count as u64),
            bytes(row.resident_before),
            bytes(row.resident_after),
            format!("{} B", grouped(row.bytes_each.max(0.0).round() as u64)),
            format!("{} B, {verdict}", grouped(row.bytes_each_max as u64)),
        ]
    };
    let head = ["memory", "count", "resident before", "resident after", "each", "bound"];
    let mut table = Table::new("", &head);
    for row in rows {
        table.row(show(row));
    }
    table
}

/// Resident memory once it stays where it is.
fn settled(process: &mut Process) -> Result<u64> {
    let read = |process: &mut Process| {
        process.check()?;
        signal::check()?;
        procfs::resident_bytes(process.pid()).context("this system does not tell the memory of a process")
    };
    let started = Instant::now();
    let mut last = read(process)?;
    while started.elapsed() < SETTLE_MAX {
        std::thread::sleep(SETTLE);
        let now = read(process)?;
        if now.abs_diff(last) < SETTLED_BYTES {
            return Ok(now);
        }
        last = now;
    }
    Ok(last)
}

/// Waits until the broker has `count` open files at least: a connection is made before it is taken in.
fn wait_for_files(process: &mut Process, count: usize) -> Result<()> {
    let started = Instant::now();
    loop {
        process.check()?;
        signal::check()?;
        let path = format!("/proc/{}/fd", process.pid());
        let open = std::fs::read_dir(&path).with_context(|| format!("cannot read {path}"))?.count();
        if open > count {
            return Ok(());
        }
        ensure!(started.elapsed() < SETTLE_MAX, "the broker took in {open} of {count} connections");
        std::thread::sleep(Duration::from_millis(50));
    }
}
