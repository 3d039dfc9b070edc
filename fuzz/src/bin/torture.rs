//! The fuzz targets without a fuzzer: runs seeds that are changed at random, on a stable compiler, and replays files.
//!
//! It does not see which code an input reaches, as libFuzzer does; it is as fast, and it runs everywhere.

use std::error::Error;
use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use broker_fuzz::mutate::Mutator;
use broker_fuzz::seeds::seeds;
use broker_fuzz::targets::{TARGETS, Target};

const USAGE: &str = "\
usage: torture [--target NAME] [--iterations N] [--seed S]   run changed seeds (1,000,000 from seed 1, every target)
       torture --target NAME FILE…                           replay inputs
       torture --write-corpus                                write the seeds to corpus/, which cargo-fuzz begins with";

/// How far the resident memory may grow in a run: the parsers keep nothing of what they have seen.
const GROWTH_MAX_BYTES: u64 = 64 << 20;

struct Arguments {
    target: Option<String>,
    iterations: u64,
    seed: u64,
    write_corpus: bool,
    files: Vec<PathBuf>,
}

fn main() -> ExitCode {
    match parse(std::env::args().skip(1)).and_then(|arguments| run(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("torture: {error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Arguments, Box<dyn Error>> {
    let mut arguments =
        Arguments { target: None, iterations: 1_000_000, seed: 1, write_corpus: false, files: Vec::new() };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value\n{USAGE}"));
        match word.as_str() {
            "--target" => arguments.target = Some(value()?),
            "--iterations" => arguments.iterations = value()?.replace('_', "").parse()?,
            "--seed" => arguments.seed = value()?.parse()?,
            "--write-corpus" => arguments.write_corpus = true,
            file if !file.starts_with('-') => arguments.files.push(file.into()),
            other => return Err(format!("there is no option {other}\n{USAGE}").into()),
        }
    }
    Ok(arguments)
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    if arguments.write_corpus {
        return Ok(write_corpus()?);
    }
    let wanted = |name: &str| arguments.target.as_deref().is_none_or(|target| target == name);
    let chosen: Vec<(&str, Target)> = TARGETS.into_iter().filter(|(name, _)| wanted(name)).collect();
    match (chosen.as_slice(), arguments.files.is_empty()) {
        ([], _) => Err(format!("there is no such target; there are {}", names()).into()),
        ([(name, target)], false) => replay(name, *target, &arguments.files),
        (_, false) => Err(format!("--target says what the files are for: {}", names()).into()),
        (chosen, true) => chosen.iter().try_for_each(|(name, target)| torture(name, *target, arguments)),
    }
}

fn names() -> String {
    TARGETS.map(|(name, _)| name).join(", ")
}

fn replay(name: &str, target: Target, files: &[PathBuf]) -> Result<(), Box<dyn Error>> {
    for file in files {
        hold(target, &fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?)?;
    }
    println!("{name}: {} files, no failure", files.len());
    Ok(())
}

fn torture(name: &str, target: Target, arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let mut inputs = seeds(name);
    inputs.extend(corpus(name)?);
    inputs.iter().try_for_each(|input| hold(target, input))?;
    let mut mutator = Mutator::new(arguments.seed, inputs);
    let (begun, memory) = (Instant::now(), resident_bytes());
    let mut bytes = 0;
    for _ in 0..arguments.iterations {
        let input = mutator.next_input();
        bytes += input.len() as u64;
        hold(target, input)?;
    }
    let seconds = begun.elapsed().as_secs_f64();
    #[allow(clippy::cast_precision_loss)]
    let per_second = |count: u64| count as f64 / seconds;
    println!(
        "{name}: {} inputs of seed {} in {seconds:.1} s, {:.0} a second, {:.0} MB a second, no failure",
        arguments.iterations,
        arguments.seed,
        per_second(arguments.iterations),
        per_second(bytes) / 1e6,
    );
    match (memory, resident_bytes()) {
        (Some(before), Some(after)) if after > before + GROWTH_MAX_BYTES => {
            Err(format!("{name}: the memory grew from {before} to {after} bytes").into())
        }
        _ => Ok(()),
    }
}

/// Runs one input. One that fails is written to a file, and its bytes are shown.
fn hold(target: Target, input: &[u8]) -> Result<(), Box<dyn Error>> {
    if catch_unwind(AssertUnwindSafe(|| target(input))).is_ok() {
        return Ok(());
    }
    let file = Path::new("artifacts").join("torture");
    fs::create_dir_all("artifacts")?;
    fs::write(&file, input)?;
    Err(format!("this input fails, it is in {}: {}", file.display(), input.escape_ascii()).into())
}

/// What lies in `corpus/`, from which the fuzzer begins too; nothing where there is no such directory.
fn corpus(name: &str) -> io::Result<Vec<Vec<u8>>> {
    match fs::read_dir(corpus_directory(name)) {
        Ok(entries) => {
            let mut files = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<PathBuf>>>()?;
            files.sort();
            files.iter().map(fs::read).collect()
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn corpus_directory(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name)
}

fn write_corpus() -> io::Result<()> {
    for (name, _) in TARGETS {
        let directory = corpus_directory(name);
        fs::create_dir_all(&directory)?;
        for (number, seed) in seeds(name).iter().enumerate() {
            fs::write(directory.join(format!("seed-{number:02}")), seed)?;
        }
    }
    Ok(())
}

/// Where the system tells.
fn resident_bytes() -> Option<u64> {
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * 4096)
}
