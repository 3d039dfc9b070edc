//! The signals that a server obeys.

use std::future::Future;
use std::io;
use std::process;

/// The exit code of a program that a second signal stops.
const STOPPED_AT_ONCE: i32 = 130;

/// What a signal asks for, with the signal's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)]
pub enum Asked {
    /// To stop: SIGINT, SIGTERM; Ctrl-C where there are no signals.
    Stop(&'static str),
    /// To accept nobody more, to send everybody away without haste, and then to stop: SIGUSR2.
    LameDuck(&'static str),
    /// To read the configuration again: SIGHUP.
    Reload(&'static str),
}

/// The signals that come, one after another.
#[derive(Debug)]
pub struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    hang_up: tokio::signal::unix::Signal,
    #[cfg(unix)]
    lame_duck: tokio::signal::unix::Signal,
}

impl Signals {
    /// Listens for signals from now on.
    ///
    /// # Errors
    ///
    /// Where the system does not let the process listen for signals.
    #[cfg(unix)]
    pub fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            lame_duck: signal(SignalKind::user_defined2())?,
        })
    }

    /// Listens for Ctrl-C from now on.
    ///
    /// # Errors
    ///
    /// None on this platform.
    #[cfg(not(unix))]
    pub fn listen() -> io::Result<Self> {
        Ok(Signals {})
    }

    /// Waits for the next one. Cancel safe.
    #[cfg(unix)]
    pub async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.interrupt.recv() => Asked::Stop("SIGINT"),
            _ = self.terminate.recv() => Asked::Stop("SIGTERM"),
            _ = self.hang_up.recv() => Asked::Reload("SIGHUP"),
            _ = self.lame_duck.recv() => Asked::LameDuck("SIGUSR2"),
        }
    }

    /// Waits for Ctrl-C. Cancel safe.
    #[cfg(not(unix))]
    pub async fn next(&mut self) -> Asked {
        // It fails where there is no console: then nothing can ask.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Asked::Stop("Ctrl-C")
    }

    /// Waits for the next one that asks to stop, and tells its name. Cancel safe.
    pub async fn stop(&mut self) -> &'static str {
        loop {
            if let Asked::Stop(name) = self.next().await {
                return name;
            }
        }
    }
}

/// Waits for the first signal that asks the process to stop (SIGINT or SIGTERM; Ctrl-C where there are no signals), and tells its name.
///
/// It listens as soon as this returns, before the future is polled.
///
/// # Errors
///
/// As [`Signals::listen`].
pub fn stop() -> io::Result<impl Future<Output = &'static str>> {
    let mut signals = Signals::listen()?;
    Ok(async move { signals.stop().await })
}

/// From now on a signal that asks to stop ends the process at once, with exit code 130.
///
/// # Errors
///
/// As [`stop`].
pub fn exit_on_next() -> io::Result<()> {
    let next = stop()?;
    tokio::spawn(async move {
        next.await;
        process::exit(STOPPED_AT_ONCE);
    });
    Ok(())
}
