//! Command lines, and what is made of them.

use super::*;
use clap::{CommandFactory, Parser};

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    args: LoadArgs,
}

fn job(line: &str) -> Result<Job> {
    let words = std::iter::once("loadtest").chain(line.split_whitespace());
    Line::try_parse_from(words).map_err(anyhow::Error::from)?.args.job()
}

fn one(line: &str) -> Planned {
    match job(line).unwrap() {
        Job::Runs(mut planned) if planned.len() == 1 => planned.remove(0),
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn the_command_line_is_consistent() {
    Line::command().debug_assert();
}

#[test]
fn times_have_units() {
    for (text, seconds) in
        [("5", 5.0), ("0.5", 0.5), ("500ms", 0.5), ("2us", 2e-6), ("10m", 600.0), ("2h", 7200.0)]
    {
        assert!((time(text).unwrap().as_secs_f64() - seconds).abs() < 1e-9, "{text}");
    }
    for text in ["", "x", "-1", "1y", "1000h", "nan", "inf", "5 5"] {
        assert!(time(text).is_err(), "{text}");
    }
}

#[test]
fn an_open_loop_is_the_default() {
    assert_eq!(one("p2p").scenario.rate, Some(10_000.0));
    assert_eq!(one("--size 16").scenario.rate, Some(RATE));
    assert_eq!(one("fanout").scenario.rate, Some(1_000.0));
    assert_eq!(one("fanout --rate 77").scenario.rate, Some(77.0));
    assert_eq!(one("fanout --max").scenario.rate, None);
    assert_eq!(one("lbroker --clients 10 --interval 0.1").scenario.rate, Some(100.0));
    assert_eq!(one("lbroker --max").scenario.rate, None);
}

#[test]
fn without_a_scenario_there_is_a_selection() {
    for (line, least) in [("", 10), ("--smoke", 12), ("--threads 2", 10)] {
        assert!(matches!(job(line).unwrap(), Job::Runs(planned) if planned.len() >= least), "{line}");
    }
    assert_eq!(one("--pubs 3 --subs 2").scenario.publishers.len(), 3);
    assert!(matches!(job("--compare redis").unwrap(), Job::Compare { scenarios, .. } if scenarios.len() > 1));
    assert!(
        matches!(job("p2p --compare redis").unwrap(), Job::Compare { scenarios, .. } if scenarios.len() == 1)
    );
    assert!(matches!(job("p2p --find --find-p99 500us").unwrap(), Job::Find(_)));
    assert!(matches!(job("--list").unwrap(), Job::Runs(_)));
}

#[test]
fn scenarios_are_run_in_their_ways() {
    assert_eq!(one("slow-consumer").how, How::Beside);
    assert_eq!((one("slow-consumer").runs, one("p2p").runs, one("p2p --runs 4").runs), (3, 1, 4));
    assert_eq!(one("soak").how, How::Soak(0.5));
    assert_eq!(one("soak --rate 1000").how, How::Plain);
    assert_eq!(one("reconnect").how, How::Plain);
    assert_eq!(one("reconnect --restart --connections 7").how, How::Restart(7));
}

#[test]
fn nonsense_is_refused() {
    for line in [
        "nothing",
        "p2p --slow 3",
        "--slow 3",
        "slow-consumer --max",
        "churn --find",
        "p2p --rate 1 --max",
        "p2p --rate 0",
        "p2p --runs 0",
        "p2p --duration 0",
        "p2p --find-p99 1ms",
        "p2p --find --find-loss 2",
        "soak --share 2 --rate 5",
        "fanin --relay",
        "--smoke --pubs 3",
        "reconnect --restart --addr 127.0.0.1:1",
    ] {
        assert!(job(line).is_err(), "{line}");
    }
}
