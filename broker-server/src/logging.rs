//! What the program writes to standard error, and how its detail is changed while it runs.

use std::io;

use tracing_subscriber::filter::ParseError;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, fmt, reload};

use crate::config::{Log, LogFormat};
use crate::nats_server;

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)]
pub enum Style {
    /// As the configuration says.
    Configured,
    /// As nats-server writes them, unless the configuration asks for JSON.
    NatsServer,
}

/// Changes what is logged.
pub struct Detail(Box<dyn Fn(EnvFilter) -> Result<(), reload::Error> + Send>);

impl Detail {
    /// Logs these events from now on: the syntax is that of `RUST_LOG`.
    ///
    /// # Errors
    ///
    /// Where it is not such a text.
    pub fn set(&self, level: &str) -> Result<(), ParseError> {
        let filter = EnvFilter::try_new(level)?;
        // It fails where nothing logs any more, and then there is no detail to change.
        let _ = (self.0)(filter);
        Ok(())
    }
}

impl std::fmt::Debug for Detail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Detail").finish_non_exhaustive()
    }
}

/// Logs to standard error from now on, for the whole process. Call it once.
///
/// # Errors
///
/// Where the level is none.
pub fn start(log: &Log, style: Style) -> Result<Detail, ParseError> {
    let (filter, handle) = reload::Layer::new(EnvFilter::try_new(&log.level)?);
    let lines = fmt::layer().with_writer(io::stderr).with_target(false);
    let lines = match (log.format, style) {
        (LogFormat::Json, _) => lines.json().boxed(),
        (LogFormat::Text, Style::Configured) => {
            lines.with_ansi(io::IsTerminal::is_terminal(&io::stderr())).boxed()
        }
        (LogFormat::Text, Style::NatsServer) => {
            lines.with_ansi(false).event_format(nats_server::LogFormat).boxed()
        }
    };
    // A program that embeds the server may log in its own way already: that stays.
    let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(filter).with(lines));
    Ok(Detail(Box::new(move |filter| handle.reload(filter))))
}
