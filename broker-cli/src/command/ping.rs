//! `broker ping`: round trips to the broker, measured.

use std::time::{Duration, Instant};

use crate::{args, exit::Failure, session::Session};

/// Measures `--count` round trips, one after another.
///
/// # Errors
/// No broker, or one that does not answer in time.
pub(crate) async fn run(arguments: &args::Ping, session: &mut Session) -> Result<(), Failure> {
    let timeout = session.answer_timeout();
    let connection = session.connect().await?;
    let mut ticks = tokio::time::interval(arguments.interval.max(Duration::from_micros(1)));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut times = Vec::new();
    for number in 1..=arguments.count {
        ticks.tick().await;
        let start = Instant::now();
        let Ok(answer) = tokio::time::timeout(timeout, connection.client.flush()).await else {
            let text = format_args!("no answer to ping {number} within {timeout:?}");
            return Err(Failure::timed_out(text));
        };
        answer?;
        let time = start.elapsed();
        times.push(time);
        session.out.line(&format!("{number}: {}", milliseconds(time)))?;
        session.out.flush()?;
    }
    session.out.line(&summary(&times))
}

fn summary(times: &[Duration]) -> String {
    let (Some(min), Some(max)) = (times.iter().min(), times.iter().max()) else {
        return "no round trips".to_string();
    };
    let count = u32::try_from(times.len()).unwrap_or(u32::MAX);
    let average = times.iter().sum::<Duration>() / count;
    let [min, average, max] = [*min, average, *max].map(milliseconds);
    format!("{count} round trips: min {min}, avg {average}, max {max}")
}

fn milliseconds(time: Duration) -> String {
    format!("{:.3} ms", time.as_secs_f64() * 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_is_min_avg_max() {
        let times = [3, 1, 5].map(Duration::from_millis);
        assert_eq!(summary(&times), "3 round trips: min 1.000 ms, avg 3.000 ms, max 5.000 ms");
        assert_eq!(summary(&[]), "no round trips");
    }
}
