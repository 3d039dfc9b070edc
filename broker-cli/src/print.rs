//! What goes to standard output and standard error, and how it looks.
//!
//! Owns the one writer of standard output, colours, and the forms of a message: pretty, JSON line, raw. Does not decide what
//! is printed. Invariant: nothing that came over the network reaches a terminal unescaped, except in the form `raw`, whose purpose is
//! the very bytes.

pub(crate) mod json;
pub(crate) mod message;
pub(crate) mod text;
pub(crate) mod time;

use std::{
    fmt,
    io::{self, BufWriter, IsTerminal, Write},
};

use clap::ValueEnum;

use crate::exit::Failure;

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless `NO_COLOR` is set or TERM is `dumb`
    #[default]
    Auto,
    /// Also into a pipe
    Always,
    /// Nowhere
    Never,
}

impl Color {
    fn palette(self, is_terminal: bool, variable: impl Fn(&str) -> Option<String>) -> Palette {
        let coloured = match self {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                is_terminal
                    && variable("NO_COLOR").is_none_or(|value| value.is_empty())
                    && variable("TERM").is_none_or(|value| value != "dumb")
            }
        };
        Palette { coloured }
    }
}

/// What a piece of text is, and so its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paint {
    /// A topic.
    Topic,
    /// What matters less: a time, a retained mark.
    Dim,
    /// A key of an object.
    Key,
    /// A string.
    Text,
    /// A number.
    Number,
    /// True or false.
    Bool,
    /// Null.
    Null,
    /// What JSON has no word for.
    Special,
    /// The word `error`.
    Error,
    /// The word `hint` or `warning`.
    Hint,
}

/// Colours, or none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Palette {
    coloured: bool,
}

impl Palette {
    /// No colours.
    pub(crate) fn plain() -> Self {
        Palette { coloured: false }
    }

    /// Colours.
    #[cfg(test)]
    pub(crate) fn coloured() -> Self {
        Palette { coloured: true }
    }

    /// What switches a colour on.
    pub(crate) fn start(self, paint: Paint) -> &'static str {
        if !self.coloured {
            return "";
        }
        match paint {
            Paint::Topic => "\x1b[1m",
            Paint::Dim | Paint::Null => "\x1b[2m",
            Paint::Key => "\x1b[34m",
            Paint::Text => "\x1b[32m",
            Paint::Number => "\x1b[36m",
            Paint::Bool | Paint::Hint => "\x1b[33m",
            Paint::Special => "\x1b[35m",
            Paint::Error => "\x1b[1;31m",
        }
    }

    /// What switches it off again.
    pub(crate) fn end(self) -> &'static str {
        if self.coloured { "\x1b[0m" } else { "" }
    }

    /// Appends a text in a colour. The text is clean already.
    pub(crate) fn paint(self, out: &mut String, paint: Paint, text: &str) {
        out.push_str(self.start(paint));
        out.push_str(text);
        out.push_str(self.end());
    }
}

/// Standard output: buffered, so whoever prints flushes before it waits.
pub(crate) struct Output {
    out: BufWriter<Box<dyn Write + Send>>,
    palette: Palette,
}

impl Output {
    /// The process's standard output.
    pub(crate) fn stdout(color: Color) -> Self {
        let stdout = io::stdout();
        let palette = color.palette(stdout.is_terminal(), |name| std::env::var(name).ok());
        // 64 KiB: what a pipe of Linux takes at once.
        Output { out: BufWriter::with_capacity(64 << 10, Box::new(stdout)), palette }
    }

    /// Its colours.
    pub(crate) fn palette(&self) -> Palette {
        self.palette
    }

    /// Writes a line.
    ///
    /// # Errors
    /// The reader went away (silent), or the output cannot be written.
    pub(crate) fn line(&mut self, text: &str) -> Result<(), Failure> {
        self.out.write_all(text.as_bytes())?;
        self.out.write_all(b"\n")?;
        Ok(())
    }

    /// Writes bytes as they are.
    ///
    /// # Errors
    /// As [`Output::line`].
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        Ok(self.out.write_all(bytes)?)
    }

    /// Hands on what is buffered.
    ///
    /// # Errors
    /// As [`Output::line`].
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.out.flush()?)
    }
}

/// Standard error: what people are told beside the output. Cheap to copy; any task may speak.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Notes {
    palette: Palette,
    quiet: bool,
    verbose: bool,
}

impl Notes {
    /// The process's standard error; `quiet` leaves errors only, `verbose` adds what usually goes without saying.
    pub(crate) fn stderr(color: Color, quiet: bool, verbose: bool) -> Self {
        let palette = color.palette(io::stderr().is_terminal(), |name| std::env::var(name).ok());
        Notes { palette, quiet, verbose }
    }

    /// True with `-v`.
    pub(crate) fn is_verbose(self) -> bool {
        self.verbose
    }

    /// Something that people should know and that is no error.
    pub(crate) fn note(self, text: impl fmt::Display) {
        if !self.quiet {
            self.write(None, &text.to_string());
        }
    }

    /// Something that went wrong, though the command goes on.
    pub(crate) fn warn(self, text: impl fmt::Display) {
        if !self.quiet {
            self.write(Some((Paint::Hint, "warning")), &text.to_string());
        }
    }

    /// Something that is said only when asked to say more.
    pub(crate) fn detail(self, text: impl fmt::Display) {
        if self.verbose {
            self.write(None, &text.to_string());
        }
    }

    /// Why the command ends, and what to do about it.
    pub(crate) fn failure(self, failure: &Failure) {
        if let Some(text) = failure.text() {
            self.write(Some((Paint::Error, "error")), text);
        }
        if let Some(hint) = failure.what_to_do() {
            self.write(Some((Paint::Hint, "hint")), hint);
        }
    }

    fn write(self, label: Option<(Paint, &str)>, said: &str) {
        let mut line = String::new();
        if let Some((paint, label)) = label {
            self.palette.paint(&mut line, paint, label);
            line.push_str(": ");
        }
        line.push_str(&text::clean(said));
        line.push('\n');
        // If standard error is gone there is nobody left to tell that to.
        let _ = io::stderr().lock().write_all(line.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(color: Color, is_terminal: bool, variables: &[(&str, &str)], coloured: bool) {
        let palette = color.palette(is_terminal, |name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_string())
        });
        assert_eq!(palette.coloured, coloured, "{color:?} {is_terminal} {variables:?}");
    }

    #[test]
    fn colours_are_for_terminals_that_want_them() {
        check(Color::Auto, true, &[("TERM", "xterm")], true);
        check(Color::Auto, true, &[], true);
        check(Color::Auto, false, &[("TERM", "xterm")], false);
        check(Color::Auto, true, &[("TERM", "dumb")], false);
        check(Color::Auto, true, &[("NO_COLOR", "1")], false);
        check(Color::Auto, true, &[("NO_COLOR", "")], true);
        check(Color::Always, false, &[("NO_COLOR", "1"), ("TERM", "dumb")], true);
        check(Color::Never, true, &[], false);
    }

    #[test]
    fn without_colours_nothing_is_added() {
        let mut out = String::new();
        Palette::plain().paint(&mut out, Paint::Error, "x");
        assert_eq!(out, "x");
        Palette::coloured().paint(&mut out, Paint::Error, "y");
        assert_eq!(out, "x\x1b[1;31my\x1b[0m");
    }
}
