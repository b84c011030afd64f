//! `registry check`: finds, and repairs, what is wrong with a storage.

use std::{
    io::{self, Write},
    process::ExitCode,
    time::Duration,
};

use berth_oci::RepositoryName;
use berth_registry::repository::{CheckOptions, CheckProgress, CheckSummary, Finding, SetAside};
use serde_json::json;

use super::{
    output::{counted, human_size, print},
    progress::ProgressLine,
    storage::StorageArguments,
};

/// The exit code when nobody knows whether something is wrong.
const NOT_CHECKED: u8 = 2;

#[derive(Debug, clap::Args)]
#[command(
    override_usage = "registry check [OPTIONS] [CONFIG]",
    after_help = "\
        --repair sets damaged content aside, so that a push brings it back; it deletes links and tags \
        that lead to nothing, and uploads that were left over, and writes damaged links and the index of \
        referrers again. An image that lacks a part stays, and has to be pushed again.\n\n\
        What is set aside takes space until --discard-damaged deletes it; a check of all repositories lists \
        it. It is kept below docker/registry/v2/_berth/damaged, by its name and by what it hashes to now.\n\n\
        Servers may run meanwhile, and what they push and delete is not taken for damage. Each repair looks once \
        more before it changes anything; still, an image that is pushed at the very moment when its damaged \
        content is moved has to be pushed again. Files of interrupted writes are no images and are not \
        reported: they go by themselves, with forgotten uploads at the latest.\n\n\
        Exit codes: 0 nothing is wrong any more, 1 something is wrong, 2 the check could not be done."
)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
pub(super) struct Arguments {
    /// Repair what can be repaired without losing an image; without this, nothing is changed
    #[arg(long)]
    repair: bool,
    /// Delete the damaged content that earlier repairs have set aside
    #[arg(long, conflicts_with_all = ["repair", "repository"])]
    discard_damaged: bool,
    /// Check one repository and the content that it has
    #[arg(long, value_name = "NAME")]
    repository: Option<RepositoryName>,
    /// Do not read the content: find what is missing, and not what is damaged
    #[arg(long)]
    skip_content: bool,
    /// Age from which uploads that nobody continued count as left over
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = super::duration)]
    upload_age: Duration,
    /// Print a JSON object a line: one for each problem, and for each blob that is set aside, and one with the totals
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    storage: StorageArguments,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    check(arguments).or_else(|error| {
        writeln!(io::stderr(), "registry: {error:#}")?;
        Ok(ExitCode::from(NOT_CHECKED))
    })
}

fn check(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let options = CheckOptions {
        repository: arguments.repository.clone(),
        read_content: !arguments.skip_content,
        minimum_upload_age: arguments.upload_age,
        repair: arguments.repair,
        discard_damaged: arguments.discard_damaged,
    };
    arguments.storage.with_registry(async |registry| {
        let (mut line, mut printed) = (ProgressLine::new(), Ok(()));
        let mut tell = |progress: CheckProgress<'_>| match progress {
            CheckProgress::Checked(summary) => line.show(|| checked(summary)),
            CheckProgress::Found(_) | CheckProgress::SetAside(_) if printed.is_err() => {}
            CheckProgress::Found(finding) => {
                line.clear();
                printed = print_finding(finding, arguments.json);
            }
            CheckProgress::SetAside(found) => {
                line.clear();
                printed = print_set_aside(found, arguments);
            }
        };
        let summary = registry.check_consistency(&options, &mut tell).await?;
        drop(line);
        printed?;
        print_summary(&summary, arguments.json)?;
        let is_well = summary.problems == summary.repaired;
        Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}

fn print_finding(finding: &Finding, json: bool) -> io::Result<()> {
    print(|output| {
        if json {
            serde_json::to_writer(&mut *output, finding)?;
            return writeln!(output);
        }
        if let Some(repository) = &finding.repository {
            write!(output, "{repository}: ")?;
        }
        writeln!(output, "{}{}", finding.problem, if finding.repaired { " (repaired)" } else { "" })
    })
}

fn print_set_aside(found: &SetAside, arguments: &Arguments) -> io::Result<()> {
    let SetAside { digest, size, since, .. } = found;
    print(|output| {
        if arguments.json {
            return writeln!(output, "{}", json!({ "setAside": found }));
        }
        let deleted = if arguments.discard_damaged { " (deleted)" } else { "" };
        writeln!(output, "set aside since {since}: {digest}, {}{deleted}", human_size(*size))
    })
}

fn print_summary(summary: &CheckSummary, json: bool) -> io::Result<()> {
    print(|output| {
        if json {
            return writeln!(output, "{}", json!({ "summary": summary }));
        }
        let CheckSummary { problems, repaired, .. } = summary;
        let outcome = match (problems, repaired) {
            (0, _) => "nothing is wrong".to_owned(),
            (problems, 0) => counted(*problems, "problem", "problems"),
            (problems, repaired) => {
                format!("{repaired} of {} repaired", counted(*problems, "problem", "problems"))
            }
        };
        writeln!(output, "{outcome}: {}", checked(summary))
    })
}

fn checked(summary: &CheckSummary) -> String {
    let CheckSummary { blobs, bytes, repositories, .. } = summary;
    let blobs = counted(*blobs, "blob", "blobs");
    let repositories = counted(*repositories, "repository", "repositories");
    format!("read {blobs} with {}, checked {repositories}", human_size(*bytes))
}
