//! The signals that stop a server.

use std::future::Future;
use std::io;
use std::process;

/// The exit code of a program that a second signal stops.
const STOPPED_AT_ONCE: i32 = 130;

/// Waits for the first signal that asks the process to stop (SIGINT or SIGTERM; Ctrl-C where there are no signals), and tells its name.
///
/// It listens as soon as this returns, before the future is polled.
///
/// # Errors
///
/// Where the system does not let the process listen for signals.
#[cfg(unix)]
pub fn stop() -> io::Result<impl Future<Output = &'static str>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => "SIGINT",
            _ = terminate.recv() => "SIGTERM",
        }
    })
}

/// Waits for Ctrl-C.
///
/// # Errors
///
/// None on this platform.
#[cfg(not(unix))]
pub fn stop() -> io::Result<impl Future<Output = &'static str>> {
    Ok(async {
        // It fails where there is no console: then nothing can ask.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        "Ctrl-C"
    })
}

/// From now on a signal ends the process at once, with exit code 130.
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
