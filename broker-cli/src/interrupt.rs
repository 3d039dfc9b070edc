//! Ctrl-C and the request to terminate.
//!
//! Invariant: the first signal ends the command in good order; if that takes longer than [`GRACE`], or a second signal comes, the
//! process ends all the same, also when it hangs in a write to a pipe that nobody reads.

use std::{io, time::Duration};

use tokio::sync::oneshot;

use crate::exit::Exit;

/// How long the good order may take: somewhat more than closing the connection does.
const GRACE: Duration = Duration::from_secs(3);

/// Begins to listen for signals; the receiver gets the first one's exit code.
///
/// # Errors
/// The system lets no handler be installed.
pub(crate) fn listen() -> io::Result<oneshot::Receiver<Exit>> {
    let (sender, receiver) = oneshot::channel();
    let mut signals = Signals::install()?;
    tokio::spawn(async move {
        let exit = signals.next().await;
        // If the command has ended already, nobody asks why.
        let _ = sender.send(exit);
        let _ = tokio::time::timeout(GRACE, signals.next()).await;
        std::process::exit(exit.code().into());
    });
    Ok(receiver)
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn install() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> Exit {
        tokio::select! {
            _ = self.interrupt.recv() => Exit::Interrupted,
            _ = self.terminate.recv() => Exit::Terminated,
        }
    }
}

#[cfg(windows)]
struct Signals {
    interrupt: tokio::signal::windows::CtrlC,
    terminate: tokio::signal::windows::CtrlBreak,
}

#[cfg(windows)]
impl Signals {
    fn install() -> io::Result<Self> {
        use tokio::signal::windows::{ctrl_break, ctrl_c};
        Ok(Signals { interrupt: ctrl_c()?, terminate: ctrl_break()? })
    }

    async fn next(&mut self) -> Exit {
        tokio::select! {
            _ = self.interrupt.recv() => Exit::Interrupted,
            _ = self.terminate.recv() => Exit::Terminated,
        }
    }
}
