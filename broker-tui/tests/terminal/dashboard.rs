//! The dashboard in a terminal.

use portable_pty::CommandBuilder;

use crate::pty::Terminal;

impl Terminal {
    /// Starts the binary.
    pub(crate) fn dashboard(args: &[&str], columns: u16, rows: u16) -> Self {
        Self::dashboard_with(args, columns, rows, &[])
    }

    /// Starts the binary with these variables in its environment.
    pub(crate) fn dashboard_with(
        args: &[&str],
        columns: u16,
        rows: u16,
        environment: &[(&str, &str)],
    ) -> Self {
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_broker-tui"));
        command.args(args);
        Self::alone(command, columns, rows, environment)
    }

    /// Starts this test binary with one test.
    pub(crate) fn this_test(test: &str, environment: &[(&str, &str)]) -> Self {
        let mut command = CommandBuilder::new(std::env::current_exe().unwrap());
        command.args(["--exact", test, "--nocapture"]);
        Self::alone(command, 80, 24, environment)
    }

    /// Nothing that the tests are started with tells it where the broker is and who it is.
    fn alone(mut command: CommandBuilder, columns: u16, rows: u16, environment: &[(&str, &str)]) -> Self {
        for name in ["BROKER_ADDR", "BROKER_TOKEN", "BROKER_USER", "BROKER_PASSWORD"] {
            command.env_remove(name);
        }
        Self::start(command, columns, rows, environment)
    }

    /// Waits until `text` does not stand on the screen.
    #[track_caller]
    pub(crate) fn hides(&self, text: &str) {
        self.until(&format!("not {text}"), |screen| !screen.contains(text));
    }

    /// Whether anything on the screen has a colour.
    pub(crate) fn has_colour(&self) -> bool {
        self.screen(|screen| {
            let (rows, columns) = screen.size();
            let coloured = |row, column| {
                screen.cell(row, column).is_some_and(|cell| {
                    cell.fgcolor() != vt100::Color::Default || cell.bgcolor() != vt100::Color::Default
                })
            };
            (0..rows.get()).any(|row| (0..columns.get()).any(|column| coloured(row, column)))
        })
    }

    /// The process.
    #[cfg(unix)]
    pub(crate) fn process_id(&self) -> u32 {
        self.child.process_id().unwrap()
    }
}
