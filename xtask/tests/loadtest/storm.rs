//! Everything at once, by chance: what is done is made up from a seed, with the sum of what must be reported beside it.

use crate::fake::{At, Deed, Script, at};
use crate::support::{Checks, NONE, for_each, run};

/// Messages of each publisher that something may be done to. Enough are sent before and behind them.
const NUMBERS: std::ops::Range<u64> = 50..750;
/// The last byte of a payload of 128 bytes.
const LAST: usize = 127;

/// Who publishes and who listens, in numbers and in arguments.
struct Shape {
    publishers: u64,
    subscribers: usize,
    args: &'static [&'static str],
}

const SHAPES: [Shape; 4] = [
    Shape { publishers: 1, subscribers: 1, args: &[] },
    Shape { publishers: 1, subscribers: 3, args: &["--subs", "3"] },
    Shape { publishers: 2, subscribers: 2, args: &["--pubs", "2", "--subs", "2"] },
    Shape { publishers: 2, subscribers: 2, args: &["--pubs", "2", "--subs", "2", "--topics", "5"] },
];

/// What is done to one subscriber's messages of each publisher, and what must be reported of it.
fn make_up(random: &mut fastrand::Rng, subscriber: usize, publishers: u64) -> (Vec<At>, Checks) {
    let (mut deeds, mut sum, mut dropped) = (Vec::new(), NONE, 0);
    let mut number = NUMBERS.start;
    while number < NUMBERS.end {
        let by = random.u64(1..30);
        let deed = match random.u8(0..6) {
            0 => Deed::Drop,
            1 => Deed::Twice,
            2 => Deed::Later(by),
            3 => Deed::Again(by),
            4 => Deed::Damage(LAST, random.u8(1..)),
            _ => Deed::Hold(std::time::Duration::from_micros(by)),
        };
        match deed {
            Deed::Drop => dropped += publishers,
            Deed::Twice | Deed::Again(_) => sum.duplicated += publishers,
            Deed::Later(_) => sum.reordered += publishers,
            Deed::Damage(..) => sum.corrupt += publishers,
            _ => {}
        }
        deeds.push(at(number, deed).only(subscriber));
        // The next one is always left alone, so that what comes later comes behind something.
        number += random.u64(2..12);
    }
    // Half of the subscribers are told, at the same place of each publisher.
    if random.bool() {
        let told = dropped / publishers;
        deeds.push(at(NUMBERS.end + 1, Deed::Tell(told)).only(subscriber));
        sum.skipped = dropped;
    } else {
        sum.lost = dropped;
    }
    (deeds, sum)
}

#[test]
fn whatever_is_done_is_reported() {
    let rows: Vec<(u64, &Shape)> = (1..=8).zip(SHAPES.iter().cycle()).collect();
    for_each(
        &rows,
        |(seed, shape)| format!("seed {seed} with {:?}", shape.args),
        |(seed, shape)| {
            let mut random = fastrand::Rng::with_seed(*seed);
            let (mut script, mut want) = (Script::honest(), NONE);
            for subscriber in 0..shape.subscribers {
                let (deeds, sum) = make_up(&mut random, subscriber, shape.publishers);
                script.deeds.extend(deeds);
                want.skipped += sum.skipped;
                want.lost += sum.lost;
                want.duplicated += sum.duplicated;
                want.reordered += sum.reordered;
                want.corrupt += sum.corrupt;
            }
            let pace = ["--rate", "2000", "--warm-up", "0.2", "--duration", "0.8", "--drain", "1.5"];
            let (ran, did) = run(&script, &[&pace[..], shape.args].concat());
            ran.check(&did, want);
        },
    );
}
