//! The shape of a log line: `time="…" level=info msg="…" key=value`, or a JSON object.

use std::{collections::BTreeMap, error::Error, fmt};

use jiff::Timestamp;
use serde_json::{Map, Value};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

use crate::config::LogFormat;

/// Writes events as lines that all carry the same fixed fields.
#[derive(Debug)]
pub(super) struct Line {
    format: LogFormat,
    fixed: BTreeMap<String, String>,
}

impl Line {
    pub(super) fn new(format: LogFormat, fixed: BTreeMap<String, String>) -> Self {
        Self { format, fixed }
    }

    fn render(&self, level: Level, time: Timestamp, fields: Fields) -> String {
        let time = format!("{time:.3}");
        let (time_key, message_key) = match self.format {
            LogFormat::Logstash => ("@timestamp", "message"),
            LogFormat::Text | LogFormat::Json => ("time", "msg"),
        };
        let mut line = Map::new();
        line.insert(time_key.to_owned(), time.into());
        line.insert("level".to_owned(), level_name(level).into());
        line.insert(message_key.to_owned(), fields.message.into());
        line.extend(fields.others);
        for (name, value) in &self.fixed {
            line.entry(name).or_insert_with(|| value.as_str().into());
        }
        match self.format {
            LogFormat::Text => text([time_key, "level", message_key], line),
            LogFormat::Json | LogFormat::Logstash => Value::Object(line).to_string(),
        }
    }
}

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        writeln!(writer, "{}", self.render(*event.metadata().level(), Timestamp::now(), fields))
    }
}

/// The level's name as the log collectors of registries know it.
fn level_name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warning",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

/// `key=value` pairs: those of `first` in that order, then the others by name.
fn text<const N: usize>(first: [&str; N], mut line: Map<String, Value>) -> String {
    let mut pairs: Vec<String> = first
        .into_iter()
        .filter_map(|key| line.remove(key).map(|value| format!("{key}={}", text_value(key, &value))))
        .collect();
    pairs.extend(line.iter().map(|(key, value)| format!("{key}={}", text_value(key, value))));
    pairs.join(" ")
}

fn text_value(key: &str, value: &Value) -> String {
    match value {
        Value::String(text) if key != "time" && key != "msg" && is_word(text) => text.clone(),
        Value::String(text) => format!("{text:?}"),
        other => other.to_string(),
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-._/@^+:".contains(c))
}

/// The fields of one event.
#[derive(Debug, Default)]
struct Fields {
    message: String,
    others: Map<String, Value>,
}

impl Fields {
    fn insert(&mut self, field: &Field, value: impl Into<Value>) {
        self.others.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        if field.name() == "message" {
            self.message = text;
        } else {
            self.insert(field, text);
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.message);
        } else {
            self.insert(field, value);
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.insert(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.insert(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.insert(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.insert(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.insert(field, chain(value));
    }
}

/// An error with everything that caused it.
fn chain(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    let mut texts: Vec<String> = causes.map(ToString::to_string).collect();
    texts.dedup();
    texts.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(format: LogFormat) -> String {
        let line = Line::new(format, BTreeMap::from([("service".to_owned(), "registry".to_owned())]));
        let mut fields = Fields { message: "listening".to_owned(), ..Fields::default() };
        fields.others.insert("address".to_owned(), "[::]:5000".into());
        fields.others.insert("bytes".to_owned(), 7.into());
        line.render(Level::INFO, Timestamp::UNIX_EPOCH, fields)
    }

    #[test]
    fn a_line_of_text_quotes_what_is_not_a_word() {
        assert_eq!(
            render(LogFormat::Text),
            r#"time="1970-01-01T00:00:00.000Z" level=info msg="listening" address="[::]:5000" bytes=7 service=registry"#
        );
    }

    #[test]
    fn a_line_of_json_keeps_numbers() {
        let line: Value = serde_json::from_str(&render(LogFormat::Json)).unwrap();
        assert_eq!(line["msg"], "listening");
        assert_eq!(line["bytes"], 7);
        assert_eq!(line["service"], "registry");
    }

    #[test]
    fn logstash_gets_its_own_names() {
        let line: Value = serde_json::from_str(&render(LogFormat::Logstash)).unwrap();
        assert_eq!(line["@timestamp"], "1970-01-01T00:00:00.000Z");
        assert_eq!(line["message"], "listening");
    }

    #[test]
    fn an_error_is_told_with_its_causes() {
        let error = std::io::Error::other(std::io::Error::other("the disk is full"));
        assert!(chain(&error).contains("the disk is full"));
    }
}
