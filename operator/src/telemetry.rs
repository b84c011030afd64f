//! Log output.

use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, filter::ParseError};

use crate::config::{Config, LogFormat};

/// Starts to write log lines to standard error as `config` asks.
pub fn start(config: &Config) -> Result<(), ParseError> {
    let filter = EnvFilter::builder().parse(&config.log_level)?;
    let output = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match config.log_format {
        LogFormat::Text => output.init(),
        LogFormat::Json => output.json().flatten_event(true).with_span_list(false).init(),
    }
    Ok(())
}
