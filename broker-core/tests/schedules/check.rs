//! Runs a check under many schedules, says how many, and how a failing one is run again.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Instant;

use shuttle::{Config, FailurePersistence, MaxSteps, Runner};

use crate::chance::{Chance, Told};

/// A schedule of more steps than this is one that does not end. The longest of a check that passes have some thousand.
const STEPS_MAX: usize = 4_000;

/// Bytes of the stack of a thread.
const STACK_BYTES: usize = 512 << 10;

/// The names of what the environment may say: how many times the usual number of schedules, and the number of the one that is to be run alone.
const TIMES: &str = "BROKER_SCHEDULES_TIMES";
const ONE: &str = "BROKER_SCHEDULE";

/// Runs `body` under so many schedules.
pub(crate) fn check(name: &str, schedules: u64, body: impl Fn() + Send + Sync + 'static) {
    let one = number(ONE);
    let (first, end) = match one {
        Some(schedule) => (schedule, schedule + 1),
        None => (0, schedules * number(TIMES).unwrap_or(1)),
    };
    let told = Arc::new(Told::default());
    let mut config = Config::new();
    config.stack_size = STACK_BYTES;
    config.failure_persistence = FailurePersistence::None;
    config.max_steps = MaxSteps::FailAfter(STEPS_MAX);
    // Atomics take effect in one order here: what weaker orders could do is argued where they are used.
    config.silence_warnings = true;
    config.ungraceful_shutdown_config.immediately_return_on_panic = true;
    let begun = Instant::now();
    let runner = Runner::new(Chance::new(first, end, Arc::clone(&told)), config);
    match catch_unwind(AssertUnwindSafe(|| runner.run(body))) {
        Ok(run) => println!(
            "model-check: {name}: {run} schedules, {} choices in each, {:.1} s",
            told.choices.load(SeqCst) / (run as u64).max(1),
            begun.elapsed().as_secs_f64()
        ),
        Err(panic) => {
            let schedule = told.current.load(SeqCst);
            println!(
                "model-check: {name}: FAILED under schedule {schedule}, after {} that passed\n\
                 model-check: cargo xtask model-check {name} --schedule {schedule}   runs it again",
                schedule - first
            );
            resume_unwind(panic);
        }
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is a number")))
}
