//! The command line of the program itself: what it prints, where, and its exit code. What settings mean is tested beside
//! the code, in `src/config/tests.rs`.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::fs;
use std::process::{Command, Output};

use tempfile::TempDir;

/// The program, in an environment without settings of whoever runs the tests.
struct Program {
    directory: TempDir,
    environment: Vec<(&'static str, String)>,
}

impl Program {
    fn new() -> Self {
        Program { directory: tempfile::tempdir().unwrap(), environment: Vec::new() }
    }

    fn file(self, text: &str) -> Self {
        fs::write(self.directory.path().join("broker.toml"), text).unwrap();
        self
    }

    fn variable(mut self, name: &'static str, text: &str) -> Self {
        self.environment.push((name, text.to_owned()));
        self
    }

    /// Only for arguments with which it ends by itself.
    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_broker-server"));
        for (name, _) in std::env::vars_os() {
            if name == "RUST_LOG" || name.to_string_lossy().starts_with("BROKER_") {
                command.env_remove(name);
            }
        }
        command
            .current_dir(self.directory.path())
            .envs(self.environment.clone())
            .args(arguments)
            .output()
            .unwrap()
    }
}

/// It ends with `code` and prints each of `lines` on standard output if it is 0, on standard error if not.
#[track_caller]
fn check(program: &Program, arguments: &[&str], code: i32, lines: &[&str]) {
    let output = program.run(arguments);
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(code), "{out}{err}");
    let (used, other) = if code == 0 { (&out, &err) } else { (&err, &out) };
    assert_eq!(other, "", "{used}");
    for line in lines {
        assert!(used.contains(line), "no {line:?} in:\n{used}");
    }
}

#[test]
fn check_config_prints_values_and_origins() {
    let program =
        Program::new().file("listen = 4000\n[limits]\ndepth_max = 5\n").variable("BROKER_WORKERS", "2");
    let arguments = ["--config", "broker.toml", "--set", "metrics.interval=200ms", "--check-config"];
    let output = program.run(&arguments);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    // The columns are as wide as the widest setting, which is not what this test is about.
    let squeezed: Vec<String> =
        text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for line in [
        "listen = \"127.0.0.1:4000\" # broker.toml:1",
        "workers = 2 # BROKER_WORKERS",
        "depth_max = 5 # broker.toml:3",
        "interval = \"200ms\" # --set metrics.interval",
        "connections_max = 65536 # default",
    ] {
        assert!(squeezed.iter().any(|printed| printed == line), "no {line:?} in:\n{text}");
    }

    // What it prints is a file that gives the same values again.
    let again = Program::new().file(&text);
    let again = String::from_utf8(again.run(&["--config", "broker.toml", "--check-config"]).stdout).unwrap();
    let values = |text: &str| {
        text.lines().map(|line| line.split('#').next().unwrap().trim_end().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(values(&again), values(&text));
}

#[test]
fn a_wrong_configuration_ends_it_with_2() {
    let wrong = Program::new()
        .file("[limits]\ntopic_byte_max = 1\n")
        .variable("BROKER_CONFIG", "broker.toml")
        .variable("BROKER_LISTEM", "1");
    let lines = [
        "broker.toml:2: unknown setting 'topic_byte_max' in [limits]; did you mean 'topic_bytes_max'?\n",
        "BROKER_LISTEM: unknown environment variable; did you mean 'BROKER_LISTEN'?\n",
        "--listen: nothing would listen\n",
    ];
    check(&wrong, &["--listen", "off", "--nats", "off", "--check-config"], 2, &lines);
    check(&wrong, &["--listen", "off", "--nats", "off"], 2, &lines);
}

#[test]
fn a_wrong_flag_ends_it_with_2() {
    let program = Program::new();
    check(
        &program,
        &["--lisen", "off"],
        2,
        &["unexpected argument '--lisen' found", "a similar argument exists: '--listen'"],
    );
    check(
        &program,
        &["-p", "1", "--listen", "2"],
        2,
        &["'--port <PORT>' cannot be used with '--listen <ADDR|off>'"],
    );
    check(&program, &["--listen", "localhost"], 2, &["did you mean 'localhost:36912'?"]);
    check(&program, &["--set", "limits.dept_max=1"], 2, &["did you mean 'limits.depth_max'?"]);
}

#[test]
fn version_and_help() {
    let program = Program::new();
    check(&program, &["--version"], 0, &[concat!("broker-server ", env!("CARGO_PKG_VERSION"), "\n")]);
    // How lines are broken depends on the terminal.
    let squeezed = |argument| {
        let output = program.run(&[argument]);
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8(output.stdout).unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let (short, long) = (squeezed("-h"), squeezed("--help"));
    for help in [&short, &long] {
        for part in [
            "--listen <ADDR|off> Where ",
            "[env: BROKER_LISTEN] [default: 127.0.0.1:36912]",
            "[env: BROKER_CONFIG]",
        ] {
            assert!(help.contains(part), "no {part:?} in: {help}");
        }
    }
    for part in [
        "limits.depth_max how deep a value may nest [default: 128]",
        "[allowed: 1 to 1,024; 0: one for each core]",
    ] {
        assert!(long.contains(part) && !short.contains(part), "{part:?} is for --help: {short}");
    }
}
