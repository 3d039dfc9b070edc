//! The progress of runs: a view on a terminal, lines elsewhere; and the look-out for a peer that dies.
//!
//! [`Stage`] is entered once for a command and takes the terminal over if there is one, on standard error: results go to standard output, wherever
//! that leads. Runs come and go on it as [`Progress`]. The terminal is given back when the stage is dropped, by the hook of a panic on any thread, and
//! by [`give_back`] where a process ends without unwinding.

mod model;
#[cfg(all(test, unix))]
#[expect(dead_code, reason = "the dashboard's tests use the rest of it")]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]
#[path = "../../../broker-tui/tests/terminal/pty.rs"]
mod pty;
mod terminal;
mod view;

use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::outcome::Outcome;
use super::report::{micros, number};
use super::run::Watch;
use super::series::Second;
use crate::process::Process;
use crate::sync::lock;
use model::Model;
use terminal::Screen;

pub(crate) use terminal::give_back;

/// Between two lines about a run where there is no view.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// Between two frames of the view: faster than anybody reads, and the generator needs the time.
const FRAME_EVERY: Duration = Duration::from_millis(200);

/// What runs are shown on; `None` while no stage was entered.
static ON_STAGE: Mutex<Option<Show>> = Mutex::new(None);

#[derive(Debug)]
enum Show {
    View(Box<View>),
    Lines,
}

/// A view on a terminal.
#[derive(Debug)]
struct View {
    screen: Screen,
    model: Model,
    drawn: Instant,
}

fn on_stage(act: impl FnOnce(&mut Show)) {
    if let Some(show) = &mut *lock(&ON_STAGE) {
        act(show);
    }
}

/// Holds the terminal.
#[derive(Debug)]
pub(crate) struct Stage(());

impl Stage {
    /// Takes the terminal over if there is one that is large enough; `plain` says not to.
    pub(crate) fn enter(plain: bool) -> Self {
        let screen = if plain { None } else { Screen::enter() };
        let show = match screen {
            Some(screen) => Show::View(Box::new(View { screen, model: Model::new(), drawn: Instant::now() })),
            None => Show::Lines,
        };
        *lock(&ON_STAGE) = Some(show);
        Self(())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // The screen gives the terminal back.
        *lock(&ON_STAGE) = None;
    }
}

impl Show {
    fn draw(&mut self, now: bool) {
        if let Self::View(view) = self
            && (now || view.drawn.elapsed() >= FRAME_EVERY)
        {
            view.drawn = Instant::now();
            view.screen.draw(&view.model);
        }
    }
}

/// Tells what goes on while no run does, or beside it.
pub(crate) fn note(text: &str) {
    on_stage(|show| {
        match show {
            Show::View(view) => view.model.note(text),
            Show::Lines => eprintln!("{text}"),
        }
        show.draw(true);
    });
}

/// Tells how far something is that is counted: connections made, topics published.
pub(crate) fn count(what: &str, done: u64, total: u64) {
    on_stage(|show| {
        if let Show::View(view) = show {
            view.model.count(what, done, total);
        }
        show.draw(done == total);
    });
}

/// One run on the stage.
#[derive(Debug)]
pub(crate) struct Progress<'a> {
    process: Option<&'a mut Process>,
    line_due: Duration,
    last: Option<Second>,
}

impl<'a> Progress<'a> {
    /// A run called `title`, whose peer is `process` if it is ours.
    pub(crate) fn new(title: &str, process: Option<&'a mut Process>) -> Self {
        on_stage(|show| {
            match show {
                Show::View(view) => view.model.begin(title),
                Show::Lines => eprintln!("{title}"),
            }
            show.draw(true);
        });
        Self { process, line_due: LINE_EVERY, last: None }
    }
}

impl Watch for Progress<'_> {
    fn tick(&mut self, done: Duration, total: Duration, delivered_per_s: f64) {
        on_stage(|show| {
            match show {
                Show::View(view) => view.model.tick(done, total, delivered_per_s),
                Show::Lines if done >= self.line_due && done < total => {
                    self.line_due += LINE_EVERY;
                    let p99 = self.last.as_ref().and_then(|second| second.p99_us);
                    let p99 = p99.map_or_else(String::new, |p99| format!(", p99 {}", micros(p99)));
                    eprintln!(
                        "  {} s of {} s: {} delivered/s{p99}",
                        done.as_secs(),
                        total.as_secs(),
                        number(delivered_per_s)
                    );
                }
                Show::Lines => {}
            }
            show.draw(false);
        });
    }

    fn second(&mut self, second: &Second) {
        self.last = Some(second.clone());
        on_stage(|show| {
            if let Show::View(view) = show {
                view.model.second(second.clone());
            }
            show.draw(true);
        });
    }

    fn end(&mut self, outcome: &Outcome) {
        on_stage(|show| {
            if let Show::View(view) = show {
                view.model.end(outcome);
            }
            show.draw(true);
        });
    }

    fn check(&mut self) -> Result<()> {
        self.process.as_mut().map_or(Ok(()), |process| process.check())
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::io::Read as _;

    use portable_pty::CommandBuilder;

    use super::*;

    /// Set where this test is the program in the terminal.
    const INSIDE: &str = "LOADTEST_PANICS_ON_STAGE";

    #[test]
    fn a_panic_on_any_thread_gives_the_terminal_back() {
        if std::env::var_os(INSIDE).is_some() {
            panic_on_stage();
            return;
        }
        let mut command = CommandBuilder::new(std::env::current_exe().unwrap());
        let name = "load::progress::tests::a_panic_on_any_thread_gives_the_terminal_back";
        command.args(["--exact", name, "--nocapture"]);
        command.env(INSIDE, "1");
        command.env_remove("RUST_BACKTRACE");
        let mut terminal = pty::Terminal::start(command, 80, 24, &[]);
        terminal.shows("a run that panics");
        assert!(terminal.screen(vt100::Screen::alternate_screen));
        terminal.press("x");
        terminal.ends(101);
        terminal.is_restored();
        terminal.shows("this thread panics on purpose");
    }

    fn panic_on_stage() {
        let _stage = Stage::enter(false);
        let _progress = Progress::new("a run that panics", None);
        assert!(std::io::stdin().read_exact(&mut [0]).is_ok(), "a key is pressed");
        let thread = std::thread::spawn(|| panic!("this thread panics on purpose"));
        assert!(thread.join().is_ok(), "and the test with it");
    }
}
