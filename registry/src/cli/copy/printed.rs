//! What is told of a copy, to people.

use std::io::{self, Write as _};

use berth_registry::copying::{Progress, Report};

use crate::cli::output::{counted, human_size, print};

/// How far it is, on one line.
pub(super) fn progress(done: &Progress, is_dry_run: bool) -> String {
    let ended = done.copied + done.unchanged;
    format!(
        "{ended} of {} looked at, {} {}",
        counted(done.images, "image", "images"),
        human_size(done.bytes),
        if is_dry_run { "to send" } else { "sent" }
    )
}

/// What became of it, or would become. What failed goes to standard error.
pub(super) fn print_report(report: &Report, is_dry_run: bool) -> io::Result<()> {
    for failure in &report.failed {
        writeln!(io::stderr(), "{} was not copied: {}", failure.image, failure.reason)?;
    }
    print(|output| {
        for image in report.copied.iter().filter(|_| is_dry_run) {
            writeln!(output, "{image}")?;
        }
        writeln!(output, "{}", summary(report, is_dry_run))
    })
}

fn summary(Report { done, failed, .. }: &Report, is_dry_run: bool) -> String {
    let [copied, sent] = if is_dry_run { ["to copy", "to send"] } else { ["copied", "sent"] };
    let sent = format!(
        "{} {copied}, {} unchanged; {} with {} {sent}",
        counted(done.copied, "image", "images"),
        done.unchanged,
        counted(done.blobs, "blob", "blobs"),
        human_size(done.bytes)
    );
    let mounted = match done.mounted {
        0 => String::new(),
        mounted => format!(", {mounted} {}", if is_dry_run { "to mount" } else { "mounted" }),
    };
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
        let report = Report { done, ..Report::default() };
        assert_eq!(summary(&report, false), "1 image copied, 2 unchanged; 3 blobs with 4.5 MB sent");
        assert_eq!(summary(&report, true), "1 image to copy, 2 unchanged; 3 blobs with 4.5 MB to send");
        let failed = vec![Failure { image: "app:1".to_owned(), reason: "x".to_owned() }];
        let report =
            Report { done: Progress { mounted: 1, ..Progress::default() }, failed, ..Report::default() };
        assert_eq!(
            summary(&report, false),
            "0 images copied, 0 unchanged; 0 blobs with 0 B sent, 1 mounted; 1 failed"
        );
    }
}
