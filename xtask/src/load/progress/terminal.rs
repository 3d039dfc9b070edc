//! The terminal: taken over on the way in, given back on every way out.
//!
//! Drawn on standard error. Keys are neither echoed nor waited for, but the terminal still turns Ctrl-C into a signal, which `signal.rs` hears: so there is no
//! moment, such as the start of a peer, in which it goes unheard.

use std::io::{self, IsTerminal, Stderr};
#[cfg(unix)]
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use broker_tui::theme::{Depth, ThemeName};
use crossterm::cursor::{Hide, Show};
use crossterm::execute;
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;

use super::model::Model;
use super::view::{self, HEIGHT_MIN, WIDTH_MIN};
#[cfg(unix)]
use crate::sync::lock;

/// Whether the terminal is ours now.
static TAKEN: AtomicBool = AtomicBool::new(false);
/// How the terminal treated its keys before.
#[cfg(unix)]
static KEYS: Mutex<Option<rustix::termios::Termios>> = Mutex::new(None);

/// The terminal while it is ours.
#[derive(Debug)]
pub(super) struct Screen {
    terminal: Terminal<CrosstermBackend<Stderr>>,
    theme: ThemeName,
    depth: Depth,
}

impl Screen {
    /// Takes the terminal over; `None` if there is none, or one that is too small or says that it is dumb.
    pub(super) fn enter() -> Option<Self> {
        let told = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        if !io::stderr().is_terminal() || told("TERM").is_none_or(|term| term == "dumb") {
            return None;
        }
        let (width, height) = crossterm::terminal::size().ok()?;
        if width < WIDTH_MIN || height < HEIGHT_MIN {
            return None;
        }
        give_back_on_panic();
        TAKEN.store(true, Ordering::SeqCst);
        quiet_keys();
        let entered = execute!(io::stderr(), EnterAlternateScreen, Hide)
            .and_then(|()| Terminal::new(CrosstermBackend::new(io::stderr())));
        let Ok(terminal) = entered else {
            give_back();
            return None;
        };
        let rgb =
            told("COLORTERM").is_some_and(|value| value.contains("truecolor") || value.contains("24bit"));
        Some(Self {
            terminal,
            theme: if told("NO_COLOR").is_some() { ThemeName::Mono } else { ThemeName::Dark },
            depth: if rgb { Depth::Rgb } else { Depth::Palette },
        })
    }

    /// Draws the model; only cells that changed are written.
    pub(super) fn draw(&mut self, model: &Model) {
        if !TAKEN.load(Ordering::SeqCst) {
            return;
        }
        let theme = self.theme.theme(self.depth);
        let drawn = self.terminal.draw(|frame| {
            let area = frame.area();
            view::draw(frame.buffer_mut(), area, model, &theme);
        });
        if drawn.is_err() {
            // A terminal that is gone takes the view with it, not the measurement.
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Gives the terminal back, if it is ours.
pub(crate) fn give_back() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        // On the way out: there is nobody left to tell.
        execute!(io::stderr(), LeaveAlternateScreen, Show).unwrap_or_default();
        loud_keys();
    }
}

/// A panic, on whatever thread, gives the terminal back before it is told.
fn give_back_on_panic() {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        give_back();
        tell(info);
    }));
}

/// What is typed is not echoed into the view, and Ctrl-Z does not leave the shell in the middle of it; Ctrl-C goes on being a signal.
#[cfg(unix)]
fn quiet_keys() {
    use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, tcgetattr, tcsetattr};
    let Ok(before) = tcgetattr(io::stdin()) else { return };
    let mut quiet = before.clone();
    quiet.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON);
    quiet.special_codes[SpecialCodeIndex::VSUSP] = 0;
    if tcsetattr(io::stdin(), OptionalActions::Now, &quiet).is_ok() {
        *lock(&KEYS) = Some(before);
    }
}

#[cfg(unix)]
fn loud_keys() {
    use rustix::termios::{OptionalActions, tcsetattr};
    if let Some(before) = lock(&KEYS).take() {
        // What was typed into the view is not for the shell: it is thrown away.
        tcsetattr(io::stdin(), OptionalActions::Flush, &before).unwrap_or_default();
    }
}

#[cfg(not(unix))]
fn quiet_keys() {}

#[cfg(not(unix))]
fn loud_keys() {}
