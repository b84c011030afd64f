//! Log output, and traces of reconciliations where the environment asks for them.

mod collector;
mod line;
pub mod span;
mod traces;

use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, filter::ParseError};

use crate::config::LogFormat;
use line::Line;

pub use traces::{Error as TracesError, Traces};

/// Starts to write log lines of this level to standard error.
pub fn start(level: &str, format: LogFormat) -> Result<(), ParseError> {
    let filter = EnvFilter::builder().parse(level)?;
    let output = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match format {
        LogFormat::Text => output.map_event_format(Line::text).init(),
        LogFormat::Json => {
            output.json().flatten_event(true).with_span_list(false).map_event_format(Line::json).init();
        }
    }
    Ok(())
}
