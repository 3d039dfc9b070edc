//! Ctrl-C, SIGTERM and SIGHUP, as a flag that long tasks look at, so that what they started is stopped before they end.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, bail};

/// How often the user asked to stop.
static ASKED: AtomicUsize = AtomicUsize::new(0);
/// Whether a thread listens already.
static LISTENS: OnceLock<()> = OnceLock::new();
/// The exit code of a program that SIGINT ended, by convention.
pub(crate) const INTERRUPTED: u8 = 130;

/// From now on signals set the flag instead of ending the process. The second one kills the children and ends it at once.
pub(crate) fn listen() -> Result<()> {
    if LISTENS.set(()).is_err() {
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")?;
    let (ready, is_ready) = std::sync::mpsc::channel();
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        runtime.block_on(async move {
            let mut signals = match Signals::new() {
                Ok(signals) => signals,
                Err(error) => return ready.send(Err(error)).unwrap_or_default(),
            };
            ready.send(Ok(())).unwrap_or_default();
            loop {
                signals.next().await;
                if ASKED.fetch_add(1, Ordering::SeqCst) > 0 {
                    crate::process::kill_all();
                    crate::load::give_back_terminal();
                    std::process::exit(i32::from(INTERRUPTED));
                }
            }
        });
    })?;
    is_ready.recv().context("the thread for signals ended")?.context("cannot listen for signals")
}

/// Whether the user asked to stop.
pub(crate) fn asked_to_stop() -> bool {
    ASKED.load(Ordering::SeqCst) > 0
}

/// An error if the user asked to stop.
pub(crate) fn check() -> Result<()> {
    if asked_to_stop() {
        bail!("interrupted");
    }
    Ok(())
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            // Nothing can be heard any more: do not spin.
            std::future::pending::<()>().await;
        }
    }
}
