//! `registry du`: how much of the storage each repository takes.

use std::process::ExitCode;

use anyhow::ensure;
use berth_oci::RepositoryName;
use berth_registry::repository::{Amount, Usage};
use serde_json::json;

use super::{
    output::{human_size, print_json, print_table},
    storage::StorageArguments,
};

#[derive(Debug, clap::Args)]
#[command(
    override_usage = "registry du [OPTIONS] [REPOSITORY] [CONFIG]",
    after_help = "OWN is what no other repository has: it is free after the repository is deleted and the garbage \
                  collected.\nSHARED is what other repositories have as well; it is kept once."
)]
pub(super) struct Arguments {
    /// Repository to measure; without one, all are
    repository: Option<String>,
    /// Print numbers of bytes
    #[arg(long, conflicts_with = "json")]
    bytes: bool,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    storage: StorageArguments,
}

pub(super) fn run(mut arguments: Arguments) -> anyhow::Result<ExitCode> {
    arguments.storage.claim(&mut arguments.repository);
    let only = arguments.repository.as_deref().map(str::parse::<RepositoryName>).transpose()?;
    arguments.storage.with_registry(async |registry| {
        let mut usage = registry.usage().await?;
        if let Some(only) = &only {
            usage.repositories.retain(|found| found.repository == *only);
            ensure!(!usage.repositories.is_empty(), "there is no repository {only}");
        }
        let printed = if arguments.json {
            // One repository does not tell what all of them take.
            if only.is_some() { print_json(&json!(usage.repositories[0])) } else { print_json(&usage) }
        } else {
            print_table(3, &rows(&usage, only.is_none(), arguments.bytes))
        };
        printed?;
        Ok(ExitCode::SUCCESS)
    })
}

fn rows(usage: &Usage, with_totals: bool, in_bytes: bool) -> Vec<[String; 4]> {
    let size = |amount: Amount| if in_bytes { amount.bytes.to_string() } else { human_size(amount.bytes) };
    let mut rows = vec![["BLOBS", "OWN", "SHARED", "REPOSITORY"].map(str::to_owned)];
    rows.extend(usage.repositories.iter().map(|found| {
        let blobs = found.own.blobs + found.shared.blobs;
        [blobs.to_string(), size(found.own), size(found.shared), found.repository.to_string()]
    }));
    if with_totals {
        let whole = |amount: Amount, name: &str| {
            [amount.blobs.to_string(), size(amount), String::new(), name.to_owned()]
        };
        rows.push(whole(usage.unlinked, "(in no repository)"));
        rows.push(whole(usage.total, "(total of the storage)"));
    }
    rows
}
