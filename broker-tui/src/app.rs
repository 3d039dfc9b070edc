//! The loop: what happens goes into the model, the model goes to the screen.
//!
//! Invariants: a frame is drawn only after something changed, and at most every [`FRAME`](crate::pace::FRAME); news of the
//! broker is taken once a frame, however much arrives; keys are taken as they come.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use crossterm::event::EventStream;
use futures_util::StreamExt as _;

use crate::message::{Clock, Msg};
use crate::model::Model;
use crate::pace::Pace;
use crate::source::Source;
use crate::terminal::{self, Screen};
use crate::update::update;

/// How often ages are drawn anew when nothing else changes.
const TICK: Duration = Duration::from_secs(1);

/// The clock of a run.
#[derive(Debug, Clone, Copy)]
pub struct Timer {
    started: Instant,
}

impl Timer {
    /// Starts at zero.
    pub fn start() -> Self {
        Self { started: Instant::now() }
    }

    /// The present.
    pub fn now(&self) -> Clock {
        let unix_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        Clock { up: self.started.elapsed(), unix_ms: u64::try_from(unix_ms).unwrap_or(u64::MAX) }
    }

    fn at(&self, up: Duration) -> tokio::time::Instant {
        (self.started + up).into()
    }
}

/// Runs the dashboard until the user, or a signal, ends it.
///
/// # Errors
///
/// The terminal is gone, or the address can never be connected to.
pub async fn run(mut model: Model, mut source: Source, mut screen: Screen) -> anyhow::Result<()> {
    let timer = Timer::start();
    let mut pace = Pace::default();
    let mut events = EventStream::new();
    let mut tick = tokio::time::interval(TICK);
    let ended = ended();
    tokio::pin!(ended);
    let (width, height) = screen.size().context("the terminal does not tell its size")?;
    update(&mut model, Msg::Resize { width, height });
    pace.mark();
    let mut news_waits = false;
    loop {
        if pace.take(timer.now().up) {
            if std::mem::take(&mut news_waits) {
                happen(&mut model, &timer, &source, Msg::Feed(source.take()));
            }
            screen.draw(&model).context("cannot draw")?;
        }
        if model.quit {
            return Ok(());
        }
        let due = pace.due();
        tokio::select! {
            biased;
            event = events.next() => {
                let event = event.context("the terminal is gone")?.context("cannot read from the terminal")?;
                if let Some(msg) = terminal::message(event) {
                    happen(&mut model, &timer, &source, msg);
                    pace.mark();
                }
            }
            () = &mut ended => return Ok(()),
            () = tokio::time::sleep_until(timer.at(due.unwrap_or_default())), if due.is_some() => {}
            changed = source.changed(), if !news_waits => {
                changed?;
                news_waits = true;
                pace.mark();
            }
            _ = tick.tick() => {
                happen(&mut model, &timer, &source, Msg::Clock(timer.now()));
                pace.mark();
            }
        }
    }
}

/// Updates the model, and tells the source what is wanted afterwards.
fn happen(model: &mut Model, timer: &Timer, source: &Source, msg: Msg) {
    update(model, Msg::Clock(timer.now()));
    update(model, msg);
    source.want(model.wants());
}

/// Waits for a signal that asks the program to end.
#[cfg(unix)]
async fn ended() {
    use tokio::signal::unix::{SignalKind, signal};
    let next = async |kind| match signal(kind) {
        Ok(mut signal) => {
            signal.recv().await;
        }
        Err(error) => {
            tracing::warn!(%error, "cannot wait for a signal");
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = next(SignalKind::terminate()) => {}
        () = next(SignalKind::interrupt()) => {}
        () = next(SignalKind::hangup()) => {}
    }
}

/// Waits for a signal that asks the program to end.
#[cfg(not(unix))]
async fn ended() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}
