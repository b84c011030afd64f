//! What a copy leaves for the kubelet, which hands it on to whoever asks about the pod: always a JSON document, and never
//! more than Kubernetes takes.

use berth_registry::copying::{Progress, Report};
use serde::Serialize;

/// The most that the kubelet reads, in bytes.
const LIMIT: usize = 4096;

#[derive(Serialize)]
struct Message {
    #[serde(flatten)]
    done: Progress,
    /// How many images were not copied.
    failed: u64,
    /// Why the first of them was not, or why there was no copy at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// The document about a copy, or about why there was none.
pub(super) fn of(result: &anyhow::Result<Report>) -> serde_json::Result<String> {
    let mut message = match result {
        Ok(report) => Message {
            done: report.done,
            failed: report.failed.len() as u64,
            error: report.failed.first().map(|first| format!("{}: {}", first.image, first.reason)),
        },
        Err(error) => Message { done: Progress::default(), failed: 0, error: Some(format!("{error:#}")) },
    };
    let mut text = serde_json::to_string(&message)?;
    // What is escaped takes more than a byte, so once may not be enough.
    while let Some(error) = message.error.as_mut().filter(|error| text.len() > LIMIT && !error.is_empty()) {
        error.truncate(error.floor_char_boundary(error.len() * LIMIT / text.len()));
        text = serde_json::to_string(&message)?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use berth_registry::copying::Failure;

    use super::*;

    #[test]
    fn many_failures_are_told_by_the_first_and_their_number() {
        let failure = Failure { image: "app:1".to_owned(), reason: "\u{1}é".repeat(5000) };
        let report = Report { failed: vec![failure; 3], ..Report::default() };
        let message = of(&Ok(report)).unwrap();
        assert!(message.len() <= LIMIT, "{}", message.len());
        let told: serde_json::Value = serde_json::from_str(&message).unwrap();
        assert_eq!((&told["failed"], &told["copied"]), (&3.into(), &0.into()));
        assert!(told["error"].as_str().unwrap().starts_with("app:1: "));
    }
}
