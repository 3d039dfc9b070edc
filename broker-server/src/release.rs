//! The clock of subscriptions with a `max_rate`: what waits in them is sent when its time has come.

use std::sync::Arc;
use std::time::Duration;

use broker_core::Broker;
use tokio::sync::Notify;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;

/// Releases what is due until `stop`. Costs nothing while no message waits.
pub(crate) async fn run(broker: Arc<Broker>, clock: Clock, stop: CancellationToken) {
    let pending = Arc::new(Notify::new());
    let hook = Arc::clone(&pending);
    broker.on_pending(Box::new(move || hook.notify_one()));
    loop {
        // A message that comes to wait behind this look leaves a notification.
        let due = broker.release(clock.now());
        let wait_ms = due.map(|due| due.saturating_sub(clock.now().monotonic_ms));
        tokio::select! {
            // Not sooner than the clock can tell apart, or this would spin.
            () = sleep(Duration::from_millis(wait_ms.unwrap_or_default().max(1))), if wait_ms.is_some() => {}
            () = pending.notified() => {}
            () = stop.cancelled() => return,
        }
    }
}
