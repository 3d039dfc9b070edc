//! The progress bar of a run, and the look-out for a peer that dies.

use std::time::Duration;

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};

use super::report::number;
use super::run::Watch;
use crate::process::Process;

/// A bar on standard error; nothing where that is no terminal.
#[derive(Debug)]
pub(crate) struct Progress<'a> {
    bar: ProgressBar,
    process: Option<&'a mut Process>,
}

impl<'a> Progress<'a> {
    /// A bar for a run called `title`, whose peer is `process` if it is ours.
    pub(crate) fn new(title: &str, process: Option<&'a mut Process>) -> Self {
        let template = "{prefix} [{bar:30}] {msg}";
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::new(1).with_style(style.progress_chars("=> ")).with_prefix(title.to_owned());
        Self { bar, process }
    }
}

impl Watch for Progress<'_> {
    fn tick(&mut self, done: Duration, total: Duration, delivered_per_s: f64) {
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        self.bar.set_length(millis(total));
        self.bar.set_position(millis(done));
        self.bar.set_message(format!("{} delivered/s", number(delivered_per_s)));
    }

    fn check(&mut self) -> Result<()> {
        self.process.as_mut().map_or(Ok(()), |process| process.check())
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
