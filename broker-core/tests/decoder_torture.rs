//! Bytes that were made to break a parser: some hundred thousand of them for each, from a fixed seed. The workspace `fuzz/` holds the same
//! targets against as many as one likes.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]
#![allow(clippy::print_stdout, reason = "what a test that fails has to say")]
#![allow(unreachable_pub, reason = "the modules are shared with the workspace `fuzz`, which exports them")]

#[path = "torture/mutate.rs"]
mod mutate;
#[path = "torture/seeds.rs"]
mod seeds;
#[path = "torture/targets.rs"]
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use broker_core::wire::native::{Decoder, FrameScanner, WireError, WireLimits};
use mutate::Mutator;
use targets::{TARGETS, Target};

/// Another seed is another run: see `fuzz/`.
const SEED: u64 = 1;

fn torture(name: &str, iterations: usize) {
    let (_, target) = TARGETS.iter().find(|(of, _)| *of == name).expect("a target of this name");
    for seed in seeds::seeds(name) {
        run(*target, &seed);
    }
    let mut mutator = Mutator::new(SEED, seeds::seeds(name));
    for _ in 0..iterations {
        run(*target, mutator.next_input());
    }
}

/// Shows the input that fails, to make a named row of it.
fn run(target: Target, input: &[u8]) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(input))) {
        println!("the input that fails: {}", input.escape_ascii());
        std::panic::resume_unwind(panic);
    }
}

#[test]
fn commands() {
    torture("commands", 150_000);
}

#[test]
fn events() {
    torture("events", 100_000);
}

#[test]
fn nats() {
    torture("nats", 400_000);
}

#[test]
fn patterns() {
    torture("patterns", 20_000);
}

#[test]
fn topics() {
    torture("topics", 50_000);
}

/// The work for a frame does not depend on how it is cut. Were each piece to begin from the start again, the frames below would take minutes:
/// the deadline tells linear from quadratic, not fast from slow.
#[test]
fn a_frame_byte_by_byte_takes_linear_time() {
    const BYTES: usize = 1 << 20;
    let begun = Instant::now();
    let head = b"\x81\xa7Publish\x91\x92\xa1t";
    let elements = u32::try_from(BYTES).unwrap().to_be_bytes();
    let nested: Vec<u8> = [&b"\xdd"[..], &elements].concat();
    for (header, content) in [(&nested[..], 0x07), (b"\xdd\x00\x00\x00\x01\xc6\x00\x10\x00\x00", 0xc1)] {
        let mut frame = [head, header].concat();
        frame.resize(frame.len() + BYTES, content);
        let mut decoder = Decoder::new(WireLimits::default());
        for end in 0..frame.len() {
            assert_eq!(decoder.next(&frame[..end]), Ok(None), "cut at {end}");
        }
        let publish = decoder.next(&frame).unwrap().expect("the frame is whole");
        assert_eq!(publish.frame_bytes, frame.len());
        publish.command.expect("a publish");
    }
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

/// A frame that ends in one walk over many small frames: each byte of the stream is looked at a bounded number of times.
#[test]
fn a_stream_of_many_small_frames_takes_linear_time() {
    let begun = Instant::now();
    let frame = b"\x81\xa4Ping\x90";
    let stream = frame.repeat(200_000);
    let mut decoder = Decoder::new(WireLimits::default());
    let (mut at, mut frames) = (0, 0);
    while let Some(ping) = decoder.next(&stream[at..]).unwrap() {
        at += ping.frame_bytes;
        frames += 1;
    }
    assert_eq!((at, frames), (stream.len(), 200_000));
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

/// Nested a hundred thousand deep in every kind of header: refused at the limit, on a thread with hardly any stack.
#[test]
fn nesting_is_refused_at_the_limit_and_takes_no_stack() {
    let work = || {
        for opening in
            [&b"\x91"[..], b"\xdc\x00\x01", b"\xdd\x00\x00\x00\x01", b"\x81\xa1k", b"\x81\x91", b"\x82\xc0"]
        {
            let bomb = opening.repeat(100_000);
            let refused = FrameScanner::new(WireLimits::default()).scan(&bomb);
            assert_eq!(refused, Err(WireError::TooDeep { limit: 128 }), "{opening:x?}");
            targets::commands(&bomb);
            targets::events(&bomb);
            let publish = [&b"\x81\xa7Publish\x91\x92\xa1t"[..], &bomb].concat();
            targets::commands(&publish);
        }
    };
    std::thread::Builder::new().stack_size(128 << 10).spawn(work).unwrap().join().unwrap();
}
