//! A program in a pty, with a terminal emulator that reads what it writes. The load test's tests use this file too.

use std::io::{Read as _, Write};
use std::num::NonZero;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// How long a screen may take to become as it should; only a failing test waits so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What the emulator saw so far, and whether the program closed the terminal.
struct Seen {
    parser: vt100::Parser,
    closed: bool,
}

/// A terminal with a program in it.
pub(crate) struct Terminal {
    master: Box<dyn MasterPty + Send>,
    writer: Box<dyn Write + Send>,
    pub(crate) child: Box<dyn Child + Send + Sync>,
    seen: Arc<(Mutex<Seen>, Condvar)>,
    /// Its settings before the program began.
    #[cfg(unix)]
    before: String,
}

impl Terminal {
    /// Starts `command` in one, with these variables in its environment.
    pub(crate) fn start(
        mut command: CommandBuilder,
        columns: u16,
        rows: u16,
        environment: &[(&str, &str)],
    ) -> Self {
        for name in ["NO_COLOR", "COLORTERM"] {
            command.env_remove(name);
        }
        command.env("TERM", "xterm-256color");
        for (name, value) in environment {
            command.env(name, value);
        }
        let pair = native_pty_system().openpty(size(columns, rows)).unwrap();
        let mut reader = pair.master.try_clone_reader().unwrap();
        let writer = pair.master.take_writer().unwrap();
        #[cfg(unix)]
        let before = settings(pair.master.as_ref());
        let child = pair.slave.spawn_command(command).unwrap();
        let seen = Seen { parser: vt100::Parser::new(cells(rows), cells(columns), 0), closed: false };
        let seen = Arc::new((Mutex::new(seen), Condvar::new()));
        let shared = Arc::clone(&seen);
        std::thread::spawn(move || {
            let mut buffer = [0; 16 * 1024];
            loop {
                // A pty whose other side is closed reports an error: that is its end.
                let length = reader.read(&mut buffer).unwrap_or(0);
                let mut seen = shared.0.lock().unwrap();
                seen.parser.process(&buffer[..length]);
                seen.closed = length == 0;
                shared.1.notify_all();
                if length == 0 {
                    return;
                }
            }
        });
        Self {
            master: pair.master,
            writer,
            child,
            seen,
            #[cfg(unix)]
            before,
        }
    }

    /// Types.
    pub(crate) fn press(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).unwrap();
        self.writer.flush().unwrap();
    }

    /// Changes the size of the terminal.
    pub(crate) fn resize(&self, columns: u16, rows: u16) {
        self.seen.0.lock().unwrap().parser.screen_mut().set_size(cells(rows), cells(columns));
        self.master.resize(size(columns, rows)).unwrap();
    }

    /// Waits until `text` stands on the screen.
    #[track_caller]
    pub(crate) fn shows(&self, text: &str) {
        self.until(text, |screen| screen.contains(text));
    }

    /// Waits until the screen is as it should be.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, check: impl Fn(&str) -> bool) {
        let is_so = self.wait(PATIENCE, |seen| check(&seen.parser.screen().contents()));
        assert!(is_so, "never on the screen: {what}\n{}", self.text());
    }

    /// What `look` finds on the screen.
    pub(crate) fn screen<T>(&self, look: impl FnOnce(&vt100::Screen) -> T) -> T {
        look(self.seen.0.lock().unwrap().parser.screen())
    }

    /// The screen.
    pub(crate) fn text(&self) -> String {
        self.screen(vt100::Screen::contents)
    }

    /// Waits for the end of the program; false if `limit` goes by before.
    pub(crate) fn ends_within(&self, limit: Duration) -> bool {
        self.wait(limit, |seen| seen.closed)
    }

    /// Waits for the end of the program.
    #[track_caller]
    pub(crate) fn ends(&mut self, code: u32) {
        assert!(self.ends_within(PATIENCE), "it does not end:\n{}", self.text());
        assert_eq!(self.child.wait().unwrap().exit_code(), code, "{}", self.text());
    }

    fn wait(&self, limit: Duration, check: impl Fn(&Seen) -> bool) -> bool {
        let seen = self.seen.0.lock().unwrap();
        let (seen, _) = self.seen.1.wait_timeout_while(seen, limit, |seen| !check(seen)).unwrap();
        check(&seen)
    }

    /// The terminal is as it was before.
    #[track_caller]
    pub(crate) fn is_restored(&self) {
        let seen = self.seen.0.lock().unwrap();
        let screen = seen.parser.screen();
        assert!(!screen.alternate_screen(), "still on the alternate screen");
        assert!(!screen.hide_cursor(), "the cursor is hidden");
        assert!(!screen.bracketed_paste(), "bracketed paste is on");
        #[cfg(unix)]
        assert_eq!(settings(self.master.as_ref()), self.before, "still in raw mode");
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn cells(n: u16) -> NonZero<u16> {
    NonZero::new(n).unwrap()
}

fn size(columns: u16, rows: u16) -> PtySize {
    PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }
}

/// Echo, line mode and so on, as text to compare.
#[cfg(unix)]
fn settings(master: &(dyn MasterPty + Send)) -> String {
    format!("{:?}", master.get_termios())
}
