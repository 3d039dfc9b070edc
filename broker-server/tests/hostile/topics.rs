//! Topics without end, and names that are no topics.

use broker_core::wire::native::{PublishOptions, encode};
use broker_server::Limits;

use crate::honest::Honest;
use crate::support::{End, Peer, Victim, assert_growth, resident_bytes};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_million_topics_take_no_more_than_the_bounds() {
    const TOPICS: usize = 1_000_000;
    let limits = Limits { retained_messages_max: 1000, retained_bytes_max: 100 << 10, ..Limits::default() };
    let Some(victim) =
        Victim::start_alone("topics::a_million_topics_take_no_more_than_the_bounds", limits).await
    else {
        return;
    };
    let honest = Honest::start(victim.address).await;
    let mut hostile = Peer::introduced(victim.address).await;
    let memory = resident_bytes();
    let stats = || victim.server.broker().topic_stats();
    for begin in (0..TOPICS).step_by(10_000) {
        hostile
            .send(|out| {
                for number in begin..begin + 10_000 {
                    encode::publish(out, &format!("t/{number}"), b"\x07", &PublishOptions::default());
                }
            })
            .await;
    }
    hostile.flush().await;
    let told = stats();
    assert!(told.topics <= 1000 && told.retained_bytes <= 100 << 10, "{told:?}");
    assert!(usize::try_from(told.evicted).unwrap() >= TOPICS - 1000, "{told:?}");
    assert_growth(memory, 24 << 20);
    drop(hostile);
    honest.finish().await;
    victim.stop_when_left().await;
}

/// Names that break the rule, as the content of a str.
fn no_topics() -> Vec<Vec<u8>> {
    let mut names: Vec<Vec<u8>> = vec![
        Vec::new(),
        vec![b'x'; 1025],
        "é".repeat(513).into_bytes(),
        b"a\xff".to_vec(),
        b"\xc3".to_vec(),
        b"\xed\xa0\x80".to_vec(),
        b"\xf5\x80\x80\x80".to_vec(),
        b"\xc0\x80".to_vec(),
    ];
    for control in (0..=0x1f).chain(0x7f..=0x9f) {
        names.push(format!("a{}b", char::from_u32(control).unwrap()).into_bytes());
    }
    names
}

fn publish(name: &[u8]) -> Vec<u8> {
    let mut frame = b"\x81\xa7Publish\x91\x92\xda".to_vec();
    frame.extend(u16::try_from(name.len()).unwrap().to_be_bytes());
    frame.extend(name);
    frame.push(0x07);
    frame
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_are_no_topics() {
    let victim = Victim::start(Limits::default()).await;
    let honest = Honest::start(victim.address).await;
    let mut introduced = Peer::introduced(victim.address).await;
    let mut reader = Peer::introduced(victim.address).await;
    reader.subscribe("*").await;
    let names = no_topics();
    for name in &names {
        introduced.write(&publish(name)).await.unwrap();
        let mut stranger = Peer::connect(victim.address).await;
        stranger.write(&publish(name)).await.unwrap();
        let nothing = End { errors: Vec::new(), goodbye: None, others: 0 };
        assert_eq!(stranger.end().await, nothing, "{name:x?}");
    }
    introduced.send(|out| encode::ping(out, Some(9))).await;
    assert_eq!(introduced.answer(9).await, vec![3; names.len()], "each is told, and closes nothing");
    let known = victim.server.broker().recent_topics(usize::MAX, 0);
    let strange = known.iter().filter(|known| names.contains(&known.topic.clone().into_bytes())).count();
    assert_eq!(strange, 0);
    drop((introduced, reader));
    honest.finish().await;
    victim.stop().await;
}

/// What only the server publishes to: refused, and not remembered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reserved_topics_are_not_remembered() {
    let limits = Limits { retained_messages_max: 100, ..Limits::default() };
    let victim = Victim::start(limits).await;
    let mut good = Peer::introduced(victim.address).await;
    good.send(|out| encode::publish(out, "good", b"\x07", &PublishOptions::default())).await;
    good.flush().await;
    let mut hostile = Peer::introduced(victim.address).await;
    for number in 0..1000 {
        let topic = format!("!system/metrics/{number}");
        hostile.send(|out| encode::publish(out, &topic, b"\x07", &PublishOptions::default())).await;
    }
    hostile.send(|out| encode::ping(out, Some(9))).await;
    assert_eq!(hostile.answer(9).await, vec![9; 1000]);
    let known = victim.server.broker().recent_topics(usize::MAX, 0);
    assert!(known.iter().any(|known| known.topic == "good"), "a topic went for one that was refused");
    assert!(!known.iter().any(|known| known.topic == "!system/metrics/7"));
    victim.stop().await;
}
