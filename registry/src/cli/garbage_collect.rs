//! `registry garbage-collect`: on the storage of a configuration, or by a running server.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context;

use super::{collect_locally, collect_remotely};

#[derive(Debug, clap::Args)]
#[command(override_usage = "registry garbage-collect [OPTIONS] CONFIG\n       \
    registry garbage-collect [OPTIONS] --server URL [--wait]")]
pub(super) struct Arguments {
    /// Configuration file of the storage to clean; without one, the file that `REGISTRY_CONFIGURATION_PATH` names
    #[arg(conflicts_with = "server")]
    pub(super) config: Option<PathBuf>,
    /// Report what would be deleted, and delete nothing
    #[arg(short = 'd', long)]
    pub(super) dry_run: bool,
    /// Also delete manifests that no tag leads to
    #[arg(
        short = 'm',
        long,
        value_name = "true|false",
        num_args = 0..=1,
        require_equals = true,
        default_value_t = false,
        default_missing_value = "true",
        action = clap::ArgAction::Set
    )]
    pub(super) delete_untagged: bool,
    /// Spare what is younger than this, since a push may still need it
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = duration)]
    pub(super) min_age: Duration,
    /// Print nothing
    #[arg(short = 'q', long, conflicts_with = "server")]
    pub(super) quiet: bool,
    #[command(flatten)]
    pub(super) remote: collect_remotely::Arguments,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    if let Some(server) = &arguments.remote.server {
        return collect_remotely::run(server, arguments);
    }
    let config = super::named_config(arguments.config.as_ref());
    let config = config.context("name a configuration file, or a server with --server")?;
    collect_locally::run(&config, arguments)
}

fn duration(text: &str) -> Result<Duration, String> {
    berth_registry::config::parse_duration(text)
        .ok_or_else(|| "write a duration such as 24h, 90m or 0s".to_owned())
}
