//! The log, as configured.

use std::collections::BTreeMap;

/// What is logged, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// The least severe level that is written.
    pub level: tracing::Level,
    /// One line of text or one JSON object an event.
    pub format: LogFormat,
    /// Fields that every line carries.
    pub fields: BTreeMap<String, String>,
    /// Whether each request gets a line.
    pub access_log: bool,
}

/// The shape of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// `time="…" level=info msg="…" key=value`
    Text,
    /// A JSON object with `time`, `level` and `msg`.
    Json,
    /// A JSON object with `@timestamp`, `level` and `message`, as Logstash takes it.
    Logstash,
}
