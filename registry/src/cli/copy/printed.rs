//! What is told of a copy, to people.

use std::io::{self, Write as _};

use berth_registry::copying::{Progress, Report};

use crate::cli::output::{counted, human_size, print};

/// How far it is, on one line.
pub(super) fn progress(done: &Progress) -> String {
    let ended = done.copied + done.unchanged;
    format!(
        "{ended} of {} looked at, {} sent",
        counted(done.images, "image", "images"),
        human_size(done.bytes)
    )
}

/// What became of it. What failed goes to standard error.
pub(super) fn print_report(report: &Report) -> io::Result<()> {
    for failure in &report.failed {
        writeln!(io::stderr(), "{} was not copied: {}", failure.image, failure.reason)?;
    }
    print(|output| writeln!(output, "{}", summary(report)))
}

fn summary(Report { done, failed }: &Report) -> String {
    let sent = format!(
        "{} copied, {} unchanged; {} with {} sent",
        counted(done.copied, "image", "images"),
        done.unchanged,
        counted(done.blobs, "blob", "blobs"),
        human_size(done.bytes)
    );
    let mounted = if done.mounted == 0 { String::new() } else { format!(", {} mounted", done.mounted) };
    let failed = if failed.is_empty() { String::new() } else { format!("; {} failed", failed.len()) };
    format!("{sent}{mounted}{failed}")
}

#[cfg(test)]
mod tests {
    use berth_registry::copying::Failure;

    use super::*;

    #[test]
    fn the_summary_tells_what_was_sent_and_what_was_not() {
        let done = Progress { copied: 1, unchanged: 2, blobs: 3, bytes: 4_500_000, ..Progress::default() };
        let report = Report { done, failed: Vec::new() };
        assert_eq!(summary(&report), "1 image copied, 2 unchanged; 3 blobs with 4.5 MB sent");
        let failed = vec![Failure { image: "app:1".to_owned(), reason: "x".to_owned() }];
        let report = Report { done: Progress { mounted: 1, ..Progress::default() }, failed };
        assert_eq!(
            summary(&report),
            "0 images copied, 0 unchanged; 0 blobs with 0 B sent, 1 mounted; 1 failed"
        );
    }
}
