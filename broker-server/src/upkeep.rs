//! What time brings about, also where nobody does anything: silent sessions, and retained messages that have outlived their time.

use std::sync::Arc;
use std::time::Duration;

use broker_core::Broker;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;

/// How often it is looked for at least, so that a client that has two seconds to say who it is has not four.
pub(crate) const PERIOD_MAX: Duration = Duration::from_secs(1);

/// Asks silent sessions for a sign of life and forgets messages, every `period` until `stop`: see [`Broker::check_silence`] and
/// [`Broker::expire`].
pub(crate) async fn run(broker: Arc<Broker>, clock: Clock, period: Duration, stop: CancellationToken) {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                broker.check_silence(clock.now());
                // Others have their turn where very many are due at once.
                while broker.expire(clock.now()) {
                    tokio::task::yield_now().await;
                }
            }
            () = stop.cancelled() => return,
        }
    }
}
