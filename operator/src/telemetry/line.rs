//! The log line, with the id of the trace that it was written in.

use std::fmt;

use tracing::{Event, Subscriber};
use tracing_subscriber::{
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

use super::span;
use crate::config::LogFormat;

/// Writes lines as `lines` does, and adds the trace where there is one.
#[derive(Debug)]
pub(super) struct Line<F> {
    lines: F,
    format: LogFormat,
}

impl<F> Line<F> {
    pub(super) fn text(lines: F) -> Self {
        Self { lines, format: LogFormat::Text }
    }

    pub(super) fn json(lines: F) -> Self {
        Self { lines, format: LogFormat::Json }
    }
}

impl<S, N, F> FormatEvent<S, N> for Line<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let Some(trace) = span::trace_id() else {
            return self.lines.format_event(context, writer, event);
        };
        let mut line = String::new();
        self.lines.format_event(context, Writer::new(&mut line), event)?;
        writer.write_str(&with_trace(self.format, line.trim_end(), &trace))
    }
}

fn with_trace(format: LogFormat, line: &str, trace: &str) -> String {
    match (format, line.strip_suffix('}')) {
        (LogFormat::Json, Some(open)) => format!("{open},\"trace_id\":\"{trace}\"}}\n"),
        _ => format!("{line} trace_id={trace}\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trace_is_a_field_of_its_line() {
        assert_eq!(
            with_trace(LogFormat::Text, "INFO created child=hub", "0af7"),
            "INFO created child=hub trace_id=0af7\n"
        );
        let line = with_trace(LogFormat::Json, r#"{"message":"created","span":{}}"#, "0af7");
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!((line["message"].as_str(), line["trace_id"].as_str()), (Some("created"), Some("0af7")));
    }
}
