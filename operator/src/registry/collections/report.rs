//! What the container of a garbage collection leaves in its termination message: a JSON document, or, if it did not get so far,
//! the last lines of its log.

use jiff::{
    SignedDuration, Timestamp,
    fmt::friendly::{Designator, Spacing, SpanPrinter},
};
use serde::Deserialize;

/// The longest reason of a failure that is kept, in bytes.
const REASON_LIMIT: usize = 1024;

/// The report of the registry server, as far as it is understood here.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Report {
    pub(super) dry_run: Option<bool>,
    pub(super) started_at: Option<Timestamp>,
    pub(super) finished_at: Option<Timestamp>,
    pub(super) bytes_freed: Option<i64>,
    pub(super) blobs_deleted: Option<i64>,
    pub(super) manifests_deleted: Option<i64>,
    pub(super) tags_deleted: Option<i64>,
    pub(super) bytes_quarantined: Option<i64>,
    pub(super) error: Option<String>,
}

impl Report {
    /// Reads a termination message; one that is no report is the reason of a failure.
    pub(super) fn read(message: &str) -> Self {
        let error = |text: &str| Some(shortened(text.trim())).filter(|text| !text.is_empty());
        match serde_json::from_str::<Self>(message) {
            Ok(report) => Self { error: report.error.as_deref().and_then(error), ..report },
            Err(_) => Self { error: error(message), ..Self::default() },
        }
    }

    /// How long the registry took, which is less than its Job.
    pub(super) fn duration(&self) -> Option<String> {
        Some(written(self.finished_at?.duration_since(self.started_at?)))
    }
}

/// A duration as Kubernetes writes it, such as `1m5s`.
pub(in crate::registry) fn written(duration: SignedDuration) -> String {
    let printer = SpanPrinter::new().spacing(Spacing::None).designator(Designator::Compact);
    printer.duration_to_string(&duration)
}

fn shortened(text: &str) -> String {
    text[..text.floor_char_boundary(REASON_LIMIT)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_of_another_release_is_understood_as_far_as_it_goes() {
        let report = Report::read(r#"{"bytesFreed": 5, "planets": 9, "error": null}"#);
        assert_eq!((report.bytes_freed, report.blobs_deleted, report.error), (Some(5), None, None));
    }

    #[test]
    fn what_is_no_report_is_a_reason_and_not_endless() {
        assert_eq!(Report::read("  no such file\n").error.as_deref(), Some("no such file"));
        assert_eq!(Report::read("").error, None);
        assert_eq!(Report::read(&"é".repeat(2000)).error.map(|error| error.len()), Some(1024));
    }

    #[test]
    fn durations_are_written_as_kubernetes_does() {
        assert_eq!(written(SignedDuration::from_secs(65)), "1m5s");
        assert_eq!(written(SignedDuration::ZERO), "0s");
    }
}
