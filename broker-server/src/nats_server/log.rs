//! Log lines as nats-server writes them: `[pid] 2026/11/21 12:04:10.439519 [INF] Server is ready`. In UTC.

use std::fmt;
use std::process;
use std::time::{SystemTime, UNIX_EPOCH};

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::clock::Date;

/// Formats events so.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct LogFormat;

impl<S, N> FormatEvent<S, N> for LogFormat
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let time = stamp(since_epoch.as_secs(), since_epoch.subsec_micros());
        write!(writer, "[{}] {time} [{}] ", process::id(), label(*event.metadata().level()))?;
        context.format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}

fn stamp(seconds: u64, micros: u32) -> String {
    let Date { year, month, day, hour, minute, second } = Date::from_unix(seconds);
    format!("{year:04}/{month:02}/{day:02} {hour:02}:{minute:02}:{second:02}.{micros:06}")
}

const fn label(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERR",
        Level::WARN => "WRN",
        Level::INFO => "INF",
        Level::DEBUG => "DBG",
        Level::TRACE => "TRC",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        assert_eq!(stamp(1_795_262_650, 439_519), "2026/11/21 12:04:10.439519");
        assert_eq!(label(Level::WARN), "WRN");
    }
}
