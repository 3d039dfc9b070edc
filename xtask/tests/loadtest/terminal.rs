//! The view on a terminal: it is drawn, follows the size, and the terminal is given back however the run ends.

use std::time::{Duration, Instant};

use portable_pty::CommandBuilder;

use crate::fake::{Deed, Fake, Protocol, Script, at};
use crate::pty::{PATIENCE, Terminal};
use crate::support::command_line;

/// The key that a terminal turns into SIGINT.
const CTRL_C: &str = "\x03";

/// A run against a fake broker, on a terminal of 80x24.
fn start(fake: &Fake, args: &[&str]) -> Terminal {
    let address = fake.address().to_string();
    let usual = ["loadtest", "--addr", &address, "--rate", "500", "--duration", "600", "--warm-up", "0.2"];
    let mut command = CommandBuilder::new(command_line());
    command.args(usual.iter().chain(args));
    command.env_remove("RUST_BACKTRACE");
    Terminal::start(command, 80, 24, &[("XTASK_RELEASE", "1")])
}

/// Types Ctrl-C again and again until the program ends.
#[track_caller]
fn interrupt_until_it_ends(terminal: &mut Terminal) {
    let deadline = Instant::now() + PATIENCE;
    while !terminal.ends_within(Duration::from_millis(200)) {
        assert!(Instant::now() < deadline, "it does not end:\n{}", terminal.text());
        terminal.press(CTRL_C);
    }
}

#[test]
fn it_follows_the_size_and_ctrl_c_prints_what_there_is() {
    let fake = Fake::start(Protocol::Native, Script::honest());
    let mut terminal = start(&fake, &[]);
    terminal.shows("measuring");
    terminal.shows("second by second");
    assert!(terminal.screen(vt100::Screen::alternate_screen));
    terminal.resize(130, 40);
    terminal.until("wider", |screen| screen.lines().any(|line| line.chars().count() > 120));
    // Not before there is something to print.
    terminal.until("a row of a second", |screen| screen.contains("500 "));
    terminal.press(CTRL_C);
    terminal.ends(130);
    terminal.is_restored();
    terminal.shows("interrupted: what there is so far");
    terminal.shows("Nothing lost, duplicated, reordered, changed or miscounted.");
    fake.finish();
}

#[test]
fn the_second_ctrl_c_ends_it_at_once_and_gives_the_terminal_back() {
    // After the first one it waits for a message that never comes.
    let fake = Fake::start(Protocol::Native, Script::doing([at(30, Deed::Drop)]));
    let mut terminal = start(&fake, &["--drain", "600"]);
    terminal.shows("measuring");
    terminal.press(CTRL_C);
    interrupt_until_it_ends(&mut terminal);
    terminal.ends(130);
    terminal.is_restored();
}
