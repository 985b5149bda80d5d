//! Logs: to standard error, for people or as JSON.

use crate::config::LogFormat;
use crate::domain::error::{Error, Violation};
use tracing_subscriber::EnvFilter;

/// Starts logging for the whole process; can be done once.
pub fn start(format: LogFormat, filter: &str) -> Result<(), Error> {
    let filter = EnvFilter::try_new(filter).map_err(|error| {
        Violation::new(
            "log.filter",
            error.to_string(),
            "directives such as info,sqlx=debug",
            "日志级别指令,如 info,sqlx=debug",
        )
    })?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Human => builder
            .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
            .try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    started.map_err(Error::internal)
}
