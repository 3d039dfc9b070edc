//! What is on its way out: which answers cover what, and what a break leaves.

use super::*;
use broker_core::wire::native::Welcome;

fn link() -> Link {
    let limits =
        Welcome { frame_bytes_max: 1000, topic_bytes_max: 100, depth_max: 128, ..Welcome::default() };
    Link::new(100, limits.into())
}

fn publish(link: &mut Link) -> Offer<()> {
    link.offer_message("t", b"\xc0", PublishOptions::default()).expect("it is a message")
}

fn flush(link: &mut Link) -> oneshot::Receiver<Answer> {
    match link.offer_flush() {
        Ok(Offer::Taken(answer)) => answer,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_answer_covers_what_came_before_it() {
    let mut link = link();
    publish(&mut link);
    publish(&mut link);
    let mut answer = flush(&mut link);
    publish(&mut link);
    let mut batch = Frames::default();
    assert!(link.next_batch(&mut batch));
    let len = batch.len();
    assert!(link.answered(9).is_none(), "out of order");
    let Some(Awaiter::Call(sender)) = link.answered(1) else { panic!("the flush awaits it") };
    sender.send(Ok(0)).expect("it is awaited");
    assert_eq!(answer.try_recv(), Ok(Ok(0)));
    assert_eq!(link.break_off(&mut batch, len), 1, "the one behind the flush");
}

#[test]
fn a_break_keeps_counts_and_fails() {
    let mut link = link();
    let mut batch = Frames::default();
    publish(&mut link);
    assert!(link.next_batch(&mut batch));
    let first = batch.len();
    publish(&mut link);
    let confirmed = link.offer_confirmed("t", b"\xc0", PublishOptions::default());
    let Ok(Offer::Taken(mut confirmed)) = confirmed else { panic!("there is room") };
    publish(&mut link);
    assert_eq!(link.break_off(&mut batch, first), 1);
    assert_eq!(confirmed.try_recv(), Ok(Err(Failure::Disconnected)));
    assert_eq!(link.loss.unconfirmed, 1);

    // The two that are kept are all that is sent next, behind what is subscribed to, and they are still accounted for.
    let server = link.server.clone();
    let ask = Ask { pattern: "p".into(), group: None, options: SubscribeOptions::default(), ids: vec![1] };
    link.begin(server, vec![ask]);
    let mut batch = Frames::default();
    assert!(link.next_batch(&mut batch));
    let len = batch.len();
    assert_eq!(link.break_off(&mut batch, len), 2);
    assert!(link.is_drained());
}

#[test]
fn a_full_buffer_is_full_until_its_batch_is_written() {
    let mut link = link();
    while matches!(publish(&mut link), Offer::Taken(())) {}
    assert!(link.buffered_bytes() >= 100 && link.buffered_bytes() < 120);
    let accepted = link.messages_out;
    let mut batch = Frames::default();
    assert!(link.next_batch(&mut batch));
    assert!(link.is_full() && matches!(link.offer_flush(), Ok(Offer::Full)));
    assert!(!link.next_batch(&mut batch), "all is written");
    assert!(matches!(publish(&mut link), Offer::Taken(())));
    assert_eq!(link.messages_out, accepted + 1);
}

#[test]
fn the_task_is_woken_once_for_a_burst() {
    let mut link = link();
    assert!(!link.next_batch(&mut Frames::default()));
    assert!(!link.take_wake(), "there is nothing to do");
    publish(&mut link);
    assert!(link.take_wake());
    publish(&mut link);
    assert!(!link.take_wake());
}

#[test]
fn the_end_counts_what_waits_and_takes_nothing_more() {
    let mut link = link();
    publish(&mut link);
    let mut answer = flush(&mut link);
    let closed = link.close(CloseReason::Dropped);
    assert_eq!(closed.unsent, 1);
    assert_eq!(answer.try_recv(), Ok(Err(Failure::Closed(CloseReason::Dropped))));
    let refused = link.offer_message("t", b"\xc0", PublishOptions::default());
    assert!(matches!(refused, Err(PublishError::Closed(CloseReason::Dropped))));
    assert!(link.is_drained() && link.state == State::Closed);
}
