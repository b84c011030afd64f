//! `log`, and `loglevel`, which was once in its place.

use tracing::Level;

use crate::config::{Log, LogFormat, error::Error, settings::Settings};

pub(super) fn log(settings: &Settings, warnings: &mut Vec<String>) -> Result<Log, Error> {
    const FORMATS: &str = "one of text, json, logstash";
    let fields = settings.map("log.fields")?.into_iter().map(|(name, texts)| {
        let words: Vec<&str> = texts.into_iter().map(|item| item.text).collect();
        (name.to_owned(), words.join(","))
    });
    Ok(Log {
        level: level(settings, warnings)?,
        format: settings.require("log.formatter", FORMATS, format)?,
        fields: fields.filter(|(_, text)| !text.is_empty()).collect(),
        access_log: !settings.flag("log.accesslog.disabled")?,
    })
}

/// The old key holds only while nobody writes the new one.
fn level(settings: &Settings, warnings: &mut Vec<String>) -> Result<Level, Error> {
    const LEVELS: &str = "one of error, warn, info, debug, trace";
    let level = settings.require("log.level", LEVELS, level_of)?;
    let deprecated = settings.read("loglevel", LEVELS, level_of)?;
    if let Some(origin) = settings.origin("loglevel").filter(|_| deprecated.is_some()) {
        warnings.push(format!("{origin}: `loglevel` is deprecated: write log.level"));
    }
    Ok(deprecated.filter(|_| settings.origin("log.level").is_none()).unwrap_or(level))
}

fn level_of(text: &str) -> Option<Level> {
    match text.to_ascii_lowercase().as_str() {
        "panic" | "fatal" | "error" => Some(Level::ERROR),
        "warn" | "warning" => Some(Level::WARN),
        "info" => Some(Level::INFO),
        "debug" => Some(Level::DEBUG),
        "trace" => Some(Level::TRACE),
        _ => None,
    }
}

fn format(text: &str) -> Option<LogFormat> {
    match text {
        "text" => Some(LogFormat::Text),
        "json" => Some(LogFormat::Json),
        "logstash" => Some(LogFormat::Logstash),
        _ => None,
    }
}
