//! The report of a run, for people or for programs.

use std::io::{self, Write};
use std::time::Duration;

use berth_registry::repository::{Candidate, Reason, Run, RunState};

use super::Arguments;
use crate::cli::output::{self, counted};

/// Prints the report of a run that spared what is younger than the minimum age.
pub(super) fn print(run: &Run, arguments: &Arguments) -> anyhow::Result<()> {
    if arguments.output.json {
        return Ok(output::print_json(run)?);
    }
    Ok(output::print(|output| {
        for candidate in &run.candidates {
            write_candidate(output, candidate)?;
        }
        writeln!(output, "{}{}", summary(run), spared(run, arguments.min_age))
    })?)
}

/// Prints what would be deleted while it is found.
pub(super) fn print_candidates(candidates: impl IntoIterator<Item = Candidate>) -> io::Result<()> {
    let mut candidates = candidates.into_iter();
    output::print(|output| candidates.try_for_each(|candidate| write_candidate(output, &candidate)))
}

/// A line as other registries print it, and why.
fn write_candidate(output: &mut dyn Write, candidate: &Candidate) -> io::Result<()> {
    let Candidate { digest, size, reason, repository } = candidate;
    let (kind, reason) = match reason {
        Reason::Unreferenced => ("blob", "no manifest leads to it"),
        Reason::Untagged => ("manifest", "no tag leads to it"),
    };
    let place = repository.as_ref().map(|name| format!(", in {name}")).unwrap_or_default();
    writeln!(
        output,
        "{kind} eligible for deletion: {digest} ({size}{place}; {reason})",
        size = counted(*size, "byte", "bytes")
    )
}

fn summary(run: &Run) -> String {
    if run.state == RunState::Running {
        let replica = run.replica.as_deref().unwrap_or("the server");
        return format!("a garbage collection is running: {replica} does it");
    }
    let verb = if run.dry_run { "would be deleted (dry run)" } else { "deleted" };
    let deleted = format!(
        "{}, {} with {}, and {} {verb}",
        counted(run.manifests_deleted, "manifest", "manifests"),
        counted(run.blobs_deleted, "blob", "blobs"),
        counted(run.bytes_freed, "byte", "bytes"),
        counted(run.uploads_deleted, "upload", "uploads")
    );
    let resting = run.rested_at.map(|at| format!("; what is in quarantine may be deleted from {at} on"));
    let tags = (run.tags_deleted > 0).then(|| {
        let tags = counted(run.tags_deleted, "tag", "tags");
        format!("{tags} {verb} that no rule of retention keeps; ")
    });
    let trashed = (run.trashed > 0).then(|| {
        let trashed = counted(run.trashed, "deleted manifest", "deleted manifests");
        format!("; the trash keeps {trashed} with all content (`registry help restore` tells for how long)")
    });
    [tags, Some(deleted), resting, trashed].into_iter().flatten().collect()
}

/// Whoever has just deleted an image, and sees that nothing came of it, is told why.
fn spared(run: &Run, minimum_age: Duration) -> String {
    let found = run.manifests_deleted + run.blobs_deleted + run.quarantined;
    if found > 0 || minimum_age.is_zero() || run.state != RunState::Succeeded {
        return String::new();
    }
    let age = match minimum_age.as_secs() {
        hours if hours % 3600 == 0 => counted(hours / 3600, "hour", "hours"),
        seconds => counted(seconds, "second", "seconds"),
    };
    format!("; what is younger than {age} is spared (--min-age)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_candidate_is_told_with_its_reason() {
        let digest = format!("sha256:{}", "0".repeat(64));
        let candidate: Candidate = serde_json::from_value(serde_json::json!({
            "digest": digest, "size": 7, "reason": "untagged", "repository": "team/app",
        }))
        .unwrap();
        let mut line = Vec::new();
        write_candidate(&mut line, &candidate).unwrap();
        let expected =
            format!("manifest eligible for deletion: {digest} (7 bytes, in team/app; no tag leads to it)\n");
        assert_eq!(String::from_utf8(line).unwrap(), expected);
    }

    #[test]
    fn the_summary_tells_when_the_rest_will_go() {
        let run = Run { rested_at: Some("2026-03-01T12:00:00Z".parse().unwrap()), ..Run::default() };
        assert!(summary(&run).ends_with("may be deleted from 2026-03-01T12:00:00Z on"), "{}", summary(&run));
    }

    #[test]
    fn a_run_that_finds_nothing_tells_what_it_did_not_look_at() {
        let (nothing, day) = (Run { state: RunState::Succeeded, ..Run::default() }, Duration::from_hours(24));
        assert_eq!(spared(&nothing, day), "; what is younger than 24 hours is spared (--min-age)");
        assert_eq!(spared(&nothing, Duration::ZERO), "");
        assert_eq!(spared(&Run { blobs_deleted: 1, ..nothing }, day), "");
    }

    #[test]
    fn the_summary_tells_of_tags_that_rules_of_retention_do_not_keep() {
        let told = summary(&Run { tags_deleted: 2, ..Run::default() });
        assert!(told.starts_with("2 tags deleted that no rule of retention keeps; 0 manifests"), "{told}");
    }

    #[test]
    fn the_summary_tells_what_the_trash_keeps() {
        let told = summary(&Run { trashed: 1, ..Run::default() });
        assert!(told.contains("; the trash keeps 1 deleted manifest with all content"), "{told}");
    }
}
