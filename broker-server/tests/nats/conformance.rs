//! The transcripts, one file for each part of the protocol.

use std::path::Path;

use crate::support::{Program, Running, Setting, nats_server, programs};
use crate::transcript::{Cut, Only, Row, Step, learn, parse, play};

/// Plays a file's rows, or learns their answers.
fn check(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/nats/transcripts").join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    let rows = parse(&text);
    assert!(!rows.is_empty(), "{name}: nothing is shown");
    if std::env::var_os("NATS_LEARN").is_some() {
        let nats_server = nats_server().expect("NATS_SERVER says who is to be learned from");
        return learn_all(&path, &text, &rows, &nats_server);
    }
    for program in programs() {
        let (others, cuts) = match program {
            Program::Ours => (Only::NatsServer, &[Cut::Whole, Cut::Bytes][..]),
            Program::NatsServer(_) => (Only::Ours, &[Cut::Whole][..]),
        };
        let rows = rows.iter().filter(|row| row.only != Some(others));
        play_all(name, &program, rows, cuts);
    }
}

/// One server for each set of flags and settings; told is everything that is not as it should be.
fn play_all<'a>(name: &str, program: &Program, rows: impl Iterator<Item = &'a Row>, cuts: &[Cut]) {
    let mut servers = Servers { program, running: Vec::new() };
    let (mut played, mut wrong) = (0, Vec::new());
    for row in rows {
        for &cut in cuts {
            let server = servers.of(row);
            played += 1;
            if let Err(what) = play(row, server.address, cut) {
                wrong.push(format!("{name}: {} ({cut:?})\n  {what}", row.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{program:?}: {} of {played} wrong\n{}", wrong.len(), wrong.join("\n"));
}

fn learn_all(path: &Path, text: &str, rows: &[Row], program: &Program) {
    let mut servers = Servers { program, running: Vec::new() };
    let head = text.lines().take(rows[0].line - 1).map(|line| line.to_owned() + "\n");
    let mut learned: String = head.collect();
    for row in rows {
        let has_no_order = row.steps.iter().any(|(_, step)| matches!(step, Step::InAnyOrder(..)));
        if row.only == Some(Only::Ours) || has_no_order {
            let lines = text.lines().skip(row.line - 1).enumerate();
            let own = lines.take_while(|(index, line)| *index == 0 || !line.starts_with("== "));
            learned.extend(own.map(|(_, line)| line.to_owned() + "\n"));
        } else {
            learned += &learn(row, text, servers.of(row).address);
        }
    }
    std::fs::write(path, learned).unwrap();
}

struct Servers<'a> {
    program: &'a Program,
    running: Vec<(Vec<String>, Vec<Setting>, Running)>,
}

impl Servers<'_> {
    /// The server that a row wants.
    fn of(&mut self, row: &Row) -> &Running {
        let same = |(flags, settings, _): &(Vec<String>, Vec<Setting>, Running)| {
            *flags == row.flags && *settings == row.settings
        };
        // Where connections are few, those of the row before must not be among them.
        let reused = row.settings.iter().all(|(name, _)| name != "max_connections");
        let at = self.running.iter().position(same).filter(|_| reused).unwrap_or_else(|| {
            let flags: Vec<&str> = row.flags.iter().map(String::as_str).collect();
            let running = self.program.start(&flags, &row.settings);
            self.running.push((row.flags.clone(), row.settings.clone(), running));
            self.running.len() - 1
        });
        &self.running[at].2
    }
}

macro_rules! transcripts {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            check(concat!(stringify!($name), ".txt"));
        }
    )*};
}

transcripts! {
    lines
    connect
    subscribe
    publish
    headers
    requests
    errors
    limits
    authorization
    telnet
}
