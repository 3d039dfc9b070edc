//! Runs the command against a fake broker, and reads what it reports.

use std::ffi::OsString;
use std::fs::File;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

pub(crate) use crate::checks::Checks;
use crate::fake::{Did, Fake, Protocol, Script};

/// No run here takes longer, on a machine that is busy with other things too; what is stuck takes forever.
const DEADLINE: Duration = Duration::from_mins(1);
/// Runs at once: they mostly wait, but each has four threads that want to be on time.
const RUNS_AT_ONCE: usize = 6;
/// Goes at a run whose schedule the machine did not keep: what was planned for a message that was never sent has not been done.
const GOES: usize = 3;

/// Names another build of the command to test, such as the one in `target/release`.
const UNDER_TEST: &str = "XTASK_UNDER_TEST";

/// Nothing wrong.
pub(crate) const NONE: Checks = Checks {
    sent: 0,
    expected: 0,
    delivered: 0,
    skipped: 0,
    lost: 0,
    duplicated: 0,
    reordered: 0,
    corrupt: 0,
    miscounted: 0,
};

/// A run of the command that has not ended.
pub(crate) struct Running {
    child: Child,
    directory: TempDir,
}

/// A run of the command, over.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: ExitStatus,
    pub(crate) out: String,
    pub(crate) err: String,
    /// What `--json` wrote.
    pub(crate) json: Option<Value>,
}

/// The command that is tested.
pub(crate) fn command_line() -> OsString {
    std::env::var_os(UNDER_TEST).unwrap_or_else(|| env!("CARGO_BIN_EXE_xtask").into())
}

/// `loadtest` with these arguments, and with `--json`.
pub(crate) fn start(args: &[&str]) -> Running {
    let directory = tempfile::tempdir().unwrap();
    let file = |name| File::create(directory.path().join(name)).unwrap();
    let mut command = Command::new(command_line());
    // What was built for the tests is what is tested: no release build in its place.
    command.env("XTASK_RELEASE", "1").env_remove("RUST_BACKTRACE");
    command.arg("loadtest").args(args).arg(JSON).arg(directory.path().join("result.json"));
    let child = command.stdout(file("out")).stderr(file("err")).spawn().unwrap();
    Running { child, directory }
}

/// The argument that names the file for the result.
const JSON: &str = "--json";

impl Running {
    /// The process.
    #[cfg(unix)]
    pub(crate) fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.child)
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn end(mut self) -> Ran {
        let mut status = None;
        let ended = eventually(DEADLINE, || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        if !ended {
            self.child.kill().unwrap();
            self.child.wait().unwrap();
        }
        let read = |name| {
            let path: PathBuf = self.directory.path().join(name);
            std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        };
        let (out, err) = (read("out").unwrap(), read("err").unwrap());
        let Some(status) = status else { panic!("does not end within {DEADLINE:?}:\n{out}\n{err}") };
        let json = read("result.json").ok().map(|text| serde_json::from_str(&text).expect("JSON"));
        Ran { status, out, err, json }
    }
}

/// Runs the command against a fake broker of the native protocol.
#[track_caller]
pub(crate) fn run(script: &Script, args: &[&str]) -> (Ran, Did) {
    run_with(Protocol::Native, script, args)
}

/// Runs the command against a fake broker.
#[track_caller]
pub(crate) fn run_with(protocol: Protocol, script: &Script, args: &[&str]) -> (Ran, Did) {
    let go = || {
        let fake = Fake::start(protocol, script.clone());
        let ran = start_at(fake.address(), args).end();
        (ran, fake.finish())
    };
    let mut last = go();
    for _ in 1..GOES {
        if last.0.kept_its_schedule() {
            break;
        }
        last = go();
    }
    last
}

/// The arguments `usual`, pairs of an option and its value, less those options that stand in `args`; and `args`.
pub(crate) fn with_usual<'a>(usual: &[&'a str], args: &[&'a str]) -> Vec<&'a str> {
    let pairs = usual.chunks(2).filter(|pair| !args.contains(&pair[0]));
    pairs.flatten().chain(args).copied().collect()
}

/// `loadtest --addr ADDRESS` with these arguments.
pub(crate) fn start_at(address: SocketAddr, args: &[&str]) -> Running {
    start(&[&["--addr", &address.to_string()], args].concat())
}

impl Ran {
    /// Its exit code.
    #[track_caller]
    pub(crate) fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| panic!("ended by a signal: {}\n{}", self.status, self.err))
    }

    /// Whether everything that was due was sent; without a schedule, or a result, it was.
    fn kept_its_schedule(&self) -> bool {
        let share = self.json.as_ref().and_then(|json| json.pointer("/results/0/sent_of_due")?.as_f64());
        share.is_none_or(|share| share > 0.9999)
    }

    /// A value of the result.
    #[track_caller]
    pub(crate) fn value(&self, pointer: &str) -> &Value {
        let json = self.json.as_ref().unwrap_or_else(|| panic!("no result: {}", self.err));
        json.pointer(&format!("/results/0{pointer}")).unwrap_or_else(|| panic!("no {pointer} in {json:#}"))
    }

    /// A number of the result.
    #[track_caller]
    pub(crate) fn number(&self, pointer: &str) -> f64 {
        self.value(pointer).as_f64().unwrap_or_else(|| panic!("{pointer} is no number"))
    }

    /// What it says of the messages.
    #[track_caller]
    pub(crate) fn checks(&self) -> Checks {
        serde_json::from_value(self.value("/checks").clone()).unwrap()
    }

    /// Checks that exactly what the broker `did` is reported: `want` is what went wrong, the rest follows from it.
    #[track_caller]
    pub(crate) fn check(&self, did: &Did, mut want: Checks) {
        want.sent = did.published;
        want.expected = did.matched;
        // What did not come is either told of or lost, and what is told of without being missing is miscounted.
        want.delivered = (did.matched + want.miscounted) - want.lost - want.skipped;
        assert_eq!(self.checks(), want, "\nreported (left), done (right): {did:?}\n{}{}", self.out, self.err);
        assert_eq!(self.code(), if want.hold() { 0 } else { 3 }, "{}", self.err);
    }
}

/// The root of the workspace.
pub(crate) fn workspace_root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Looks again and again until `check` holds; false if `limit` goes by before.
pub(crate) fn eventually(limit: Duration, mut check: impl FnMut() -> bool) -> bool {
    let begun = Instant::now();
    while !check() {
        if begun.elapsed() > limit {
            return false;
        }
        // tidy: sleep: between two looks
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}

/// Calls `check` with every row, some at a time, and names the rows that panic.
#[track_caller]
pub(crate) fn for_each<T: Sync>(rows: &[T], name: impl Fn(&T) -> String + Sync, check: impl Fn(&T) + Sync) {
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..RUNS_AT_ONCE {
            scope.spawn(|| {
                while let Some(row) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| check(row))) {
                        let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
                        failed.lock().unwrap().push(format!("{}: {text}", name(row)));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{} of {} rows fail:\n{}", failed.len(), rows.len(), failed.join("\n"));
}
