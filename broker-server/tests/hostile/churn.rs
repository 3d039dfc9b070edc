//! Connections that come and go: nothing stays behind.

use broker_core::wire::native::{PublishOptions, SubscribeOptions, encode};
use broker_server::Limits;

use crate::honest::Honest;
use crate::support::{Peer, Victim, assert_growth, eventually, open_handles, resident_bytes};

/// Comes, does what clients do, and goes in one of several ways.
async fn visit(victim: &Victim, number: usize) {
    let mut peer = Peer::connect(victim.address).await;
    match number % 5 {
        // Goes at once.
        0 => {}
        1 => peer.reset(),
        2 => {
            peer.send(|out| encode::subscribe(out, "visit/*", &SubscribeOptions::default())).await;
            peer.reset();
        }
        3 => {
            // Answers and messages are on their way to it when it goes.
            let mut peer = Peer::introduced(victim.address).await;
            peer.subscribe(&format!("visit/{number}")).await;
            peer.subscribe("visit/*").await;
            peer.send(|out| {
                for _ in 0..100 {
                    encode::publish(out, "visit/1", b"\x07", &PublishOptions::default());
                    encode::ping(out, Some(1));
                }
            })
            .await;
        }
        _ => {
            let mut peer = Peer::introduced(victim.address).await;
            peer.subscribe("visit/{a,b}*").await;
            peer.send(encode::close).await;
            let end = peer.end().await;
            assert_eq!(end.goodbye.as_deref(), Some("closed"));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_connections_leave_nothing() {
    check("churn::a_thousand_connections_leave_nothing", visit, async |_| {}).await;
}

/// A thousand clients come, do what `visit` does, and go; then `serves` asks whether the server still does. `test` is the name of the test, which gets a
/// process of its own.
pub(crate) async fn check(
    test: &'static str,
    visit: impl AsyncFn(&Victim, usize),
    serves: impl AsyncFnOnce(&Victim),
) {
    let Some(victim) = Victim::start_alone(test, Limits::default()).await else { return };
    let honest = Honest::start(victim.address).await;
    let at_rest = (victim.server.tasks(), victim.connections(), victim.server.broker().subscriptions());
    // The first ones fill what is kept for later: buffers, the runtime's and the allocator's own.
    for number in 0..200 {
        visit(&victim, number).await;
    }
    // An honest newcomer may be there at the moment.
    let is_at_rest = || {
        let now = (victim.server.tasks(), victim.connections(), victim.server.broker().subscriptions());
        now.0 <= at_rest.0 + 2 && now.1 <= at_rest.1 + 1 && now.2 <= at_rest.2 + 1
    };
    eventually("the first ones are gone", is_at_rest).await;
    let (memory, handles) = (resident_bytes(), open_handles());
    for number in 0..1000 {
        visit(&victim, number).await;
    }
    eventually("all are gone", is_at_rest).await;
    // A newcomer has two handles, its own and the server's.
    eventually("their handles are gone", || open_handles() <= handles + 2).await;
    assert_growth(memory, 8 << 20);
    let told = victim.server.broker().totals().connections;
    assert!(told >= 1200, "{told} connections were counted");
    serves(&victim).await;
    honest.finish().await;
    eventually("the honest pair is gone", || victim.connections() == 0).await;
    assert_eq!(victim.server.broker().subscriptions(), 0);
    victim.stop().await;
}
