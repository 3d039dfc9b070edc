//! Mistakes that were made here once.

use glob_tree::Pattern;

use super::*;
use crate::outbox::Origin;
use crate::routing::SubscriptionOptions;

/// Cause: a batch whose first message found somebody writing counted as noted, though nobody had to flush for it. Effect: if the writer was done
/// before the batch's second message, that one stayed in the outbox until the next batch; the load test missed the last few of a
/// million messages. Fix: only a batch that is told to flush counts.
#[test]
fn a_batch_that_met_a_writer_flushes_what_it_appends_after_it() {
    let mut queue = Queue { turn: Turn::Taken, ..Queue::new(Speech::Native, 1000) };
    assert!(!queue.touch(7), "the writer looks again");
    queue.turn = Turn::Free;
    assert!(queue.touch(7), "nobody else will");
    assert!(!queue.touch(7), "once is enough");
    assert!(queue.touch(8));
}

/// Cause: every skip gave its buffers back. Effect: twenty outboxes that were never read held their publisher up for 5 ms, again and
/// again, while the system zeroed new pages. Fix: the buffers stay until the subscriber has caught up.
#[test]
fn a_skip_keeps_its_buffers_and_no_more_than_the_bound() {
    const BYTES_MAX: usize = 256 << 10;
    let pattern = Pattern::glob("t").unwrap();
    let subscription = Arc::new(Subscription::new(pattern, SubscriptionOptions::default()));
    let mut queue = Queue::new(Speech::Native, BYTES_MAX);
    for number in 0..10_000_usize {
        // Now and then a large one between them, which is not gathered.
        let large = Frames::Owned(vec![0; 5000]);
        let frames = if number % 100 == 99 { large } else { Frames::Copied(&[0; 1000]) };
        let skips = queue.waiting.bytes() + frames.len() > BYTES_MAX;
        let origin = Origin::Server;
        let parcel = Parcel { subscription: &subscription, messages: 1, expires_ms: NEVER, origin };
        queue.push(frames, &parcel);
        if skips {
            let (spare, _) = queue.waiting.spare();
            assert!(spare >= BYTES_MAX / GATHER_BYTES / 2, "{spare} kept");
            assert!(spare <= BYTES_MAX / GATHER_BYTES + 1, "{spare} kept");
        }
    }
    assert!(queue.losses.lagged > 9_000);
    assert!(matches!(queue.rest(), Flushed::Idle));
    assert_eq!(queue.waiting.spare().1, 0);
}
