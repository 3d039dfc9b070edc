//! Routes that follow the subscriptions, options that are united, requests that leave nothing.

use super::*;
use std::{collections::VecDeque, task::Poll};

const INBOX: &str = "!inbox/7/";

/// A subscription that is not confirmed yet.
fn add(router: &mut Router, pattern: &str, options: &crate::SubscribeOptions) -> (Arc<Queue>, Ask) {
    let pattern = Pattern::glob(pattern).expect("it parses");
    let queue = Arc::new(Queue::new(pattern.as_str().into(), 100, 1 << 20));
    let (subscriber, _waiting) = Subscriber::new(Some(Arc::clone(&queue)), options);
    let ask = router.add(&pattern, subscriber).expect("one group");
    (queue, ask)
}

fn confirmed(router: &mut Router, pattern: &str) -> (Arc<Queue>, Ask) {
    let (queue, ask) = add(router, pattern, &crate::SubscribeOptions::new());
    router.confirm(&ask.pattern, &ask.ids);
    (queue, ask)
}

/// The topics of the messages in a queue.
fn take(queue: &Queue) -> Vec<String> {
    let mut taken = VecDeque::new();
    while queue.poll_take(&mut taken, None) == Poll::Ready(true) {}
    taken.iter().map(|message| message.topic().to_owned()).collect()
}

fn deliver(router: &mut Router, topics: &[&str]) {
    for topic in topics {
        router.deliver(topic, b"\xc0", None);
    }
    assert!(router.commit().is_empty());
}

#[test]
fn the_cache_follows_the_subscriptions() {
    let mut router = Router::new(INBOX.to_owned());
    let (all, _) = confirmed(&mut router, "*");
    deliver(&mut router, &["a", "a", "b", "a"]);
    assert_eq!(take(&all), ["a", "a", "b", "a"]);
    let (only, ask) = add(&mut router, "a", &crate::SubscribeOptions::new());
    deliver(&mut router, &["a"]);
    assert!(take(&only).is_empty(), "it is not confirmed");
    router.confirm(&ask.pattern, &ask.ids);
    deliver(&mut router, &["a", "b"]);
    assert_eq!(take(&only), ["a"]);
    assert!(router.remove("a", ask.ids[0]));
    deliver(&mut router, &["a", "b"]);
    assert!(take(&only).is_empty());
    assert_eq!(take(&all), ["a", "a", "b", "a", "b"]);
    assert!(!router.remove("a", ask.ids[0]), "it is gone already");
    assert_eq!((router.subscriptions(), router.tree.len()), (1, 1));
}

#[test]
fn the_cache_is_bounded() {
    let mut router = Router::new(INBOX.to_owned());
    let (all, _) = confirmed(&mut router, "*");
    for number in 0..3 * CACHED_TOPICS_MAX {
        deliver(&mut router, &[&number.to_string()]);
        assert!(router.cache.len() <= CACHED_TOPICS_MAX);
        assert_eq!(take(&all), [number.to_string()]);
    }
}

#[test]
fn options_of_one_pattern_are_united() {
    let mut router = Router::new(INBOX.to_owned());
    let options = crate::SubscribeOptions::new;
    let (_, ask) = add(&mut router, "a", &options().retained(false));
    assert_eq!((ask.options.retained, ask.options.meta, ask.options.policy), (false, false, None));
    let (_, ask) = add(&mut router, "a", &options().meta(true).policy(Policy::Disconnect));
    assert_eq!((ask.options.retained, ask.options.meta, ask.options.max_rate), (true, true, None));
    let (_, ask) = add(&mut router, "a", &options().retained(false));
    assert_eq!((ask.options.retained, ask.options.meta), (false, true));
    assert_eq!(ask.options.policy, Some(Policy::Disconnect));
    let asks = router.asks();
    assert_eq!((asks.len(), asks[0].ids.len(), asks[0].options.retained), (1, 3, true));
}

#[test]
fn the_highest_rate_counts_and_none_is_higher() {
    let mut router = Router::new(INBOX.to_owned());
    let options = crate::SubscribeOptions::new;
    let mut rate_with = |options| add(&mut router, "a", &options).1.options.max_rate;
    assert_eq!(rate_with(options().max_rate(5.0)), Some(5.0));
    assert_eq!(rate_with(options().max_rate(2.0)), Some(5.0));
    assert_eq!(rate_with(options().max_rate(7.5)), Some(7.5));
    assert_eq!(rate_with(options()), None);
}

#[test]
fn one_pattern_has_one_group() {
    let mut router = Router::new(INBOX.to_owned());
    let options = |group: &str| match group {
        "" => crate::SubscribeOptions::new(),
        group => crate::SubscribeOptions::new().group(group),
    };
    let (_, ask) = add(&mut router, "a", &options("g"));
    assert_eq!(ask.group.as_deref(), Some("g"));
    add(&mut router, "a", &options("g"));
    let pattern = Pattern::glob("a").expect("it parses");
    for group in ["", "h"] {
        let (subscriber, _waiting) = Subscriber::new(None, &options(group));
        let outcome = router.add(&pattern, subscriber).map(|ask| ask.ids);
        let expected = SubscribeError::OtherGroup { pattern: "a".to_owned(), group: Some("g".to_owned()) };
        assert_eq!(outcome, Err(expected));
    }
    let asks = router.asks();
    assert_eq!((asks[0].ids.len(), asks[0].group.as_deref()), (2, Some("g")));
    assert!(add(&mut router, "b", &options("")).1.group.is_none());
}

#[test]
fn requests_that_are_over_leave_nothing() {
    let mut router = Router::new(INBOX.to_owned());
    let (reply, mut first) = router.expect_answer(1);
    assert_eq!(reply, "!inbox/7/1");
    let (_, mut second) = router.expect_answer(2);
    router.forget_answer(2);
    deliver(&mut router, &["!inbox/7/2", "!inbox/7/1", "!inbox/7/1", "!inbox/8/1", "!inbox/7/x"]);
    assert_eq!(first.try_recv().expect("it was answered").topic(), "!inbox/7/1");
    assert!(second.try_recv().is_err());
    assert!(router.requests.is_empty());
}

#[test]
fn closing_ends_everything() {
    let mut router = Router::new(INBOX.to_owned());
    let (queue, _) = confirmed(&mut router, "*");
    let (_, mut answer) = router.expect_answer(1);
    router.close();
    assert!(queue.has_ended() && answer.try_recv().is_err());
    assert_eq!((router.subscriptions(), router.tree.len()), (0, 0));
}
