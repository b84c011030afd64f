//! What `registry garbage-collect` is told.

use std::{path::PathBuf, time::Duration};

use clap::builder::BoolishValueParser;
use hyper::Uri;
use rustls::pki_types::ServerName;

use crate::cli::server::server_name;

#[derive(Debug, clap::Args)]
#[command(
    // As in both major versions of Distribution, the last word counts.
    args_override_self = true,
    override_usage = "registry garbage-collect [OPTIONS] CONFIG\n       \
        registry garbage-collect [OPTIONS] --server URL [--wait]",
    after_help = "With CONFIG, garbage is found, rests for a few seconds, and is deleted at once. Servers may go on \
        meanwhile: what they acknowledge stays, but a push that relies on an old blob without a manifest may have to \
        be repeated. With --offline nothing rests.\n\
        With --server, garbage is found in one run and deleted in a later one, after its quarantine, and every push \
        succeeds."
)]
pub(in crate::cli) struct Arguments {
    /// Configuration file of the storage to clean; without one, the file that `REGISTRY_CONFIGURATION_PATH` names
    #[arg(conflicts_with = "server")]
    pub(super) config: Option<PathBuf>,
    /// Report what would be deleted, and delete nothing
    #[arg(
        short = 'd',
        long,
        value_name = "true|false",
        num_args = 0..=1,
        require_equals = true,
        default_value_t = false,
        default_missing_value = "true",
        value_parser = BoolishValueParser::new(),
        action = clap::ArgAction::Set
    )]
    pub(in crate::cli) dry_run: bool,
    /// Also delete manifests that no tag leads to
    #[arg(
        short = 'm',
        long,
        value_name = "true|false",
        num_args = 0..=1,
        require_equals = true,
        default_value_t = false,
        default_missing_value = "true",
        value_parser = BoolishValueParser::new(),
        action = clap::ArgAction::Set
    )]
    pub(in crate::cli) delete_untagged: bool,
    /// Spare what is younger than this, since a push may still need it
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = crate::cli::duration)]
    pub(in crate::cli) min_age: Duration,
    /// Delete garbage at once instead of letting it rest: no server may be using the storage
    #[arg(long, conflicts_with = "server")]
    pub(super) offline: bool,
    #[command(flatten)]
    pub(super) output: Output,
    #[command(flatten)]
    pub(super) remote: Remote,
}

/// What is printed.
#[derive(Debug, clap::Args)]
pub(super) struct Output {
    /// Print the report as JSON
    #[arg(long)]
    pub(super) json: bool,
    /// Print nothing
    #[arg(
        short = 'q',
        long,
        conflicts_with = "server",
        value_name = "true|false",
        num_args = 0..=1,
        require_equals = true,
        default_value_t = false,
        default_missing_value = "true",
        value_parser = BoolishValueParser::new(),
        action = clap::ArgAction::Set
    )]
    pub(super) quiet: bool,
}

/// How a running server is reached.
#[derive(Debug, clap::Args)]
#[group(id = "remote")]
#[command(next_help_heading = "With a running server")]
pub(super) struct Remote {
    #[arg(long, value_name = "URL", help = "Address of the server, such as https://registry.example.com")]
    pub(super) server: Option<Uri>,
    /// Wait for the end, and exit with 1 if it is a failure
    #[arg(long, requires = "server")]
    pub(super) wait: bool,
    /// How long garbage rests before it is deleted [default: three quarters of the minimum age]
    #[arg(long, value_name = "DURATION", requires = "server", value_parser = crate::cli::duration)]
    pub(super) quarantine: Option<Duration>,
    /// Let the run wait for the end of the quarantine, and delete what it has found
    #[arg(long, requires = "server")]
    pub(super) finish: bool,
    /// User who may administer the registry
    #[arg(long, value_name = "USER", requires = "server", env = "REGISTRY_GC_USERNAME")]
    pub(super) username: Option<String>,
    /// File that holds the user's password, which may be in the environment instead [env: `REGISTRY_GC_PASSWORD`]
    #[arg(long, value_name = "FILE", requires = "server")]
    pub(super) password_file: Option<PathBuf>,
    /// PEM file of the authorities that may have signed the server's certificate
    #[arg(long, value_name = "FILE", requires = "server")]
    pub(super) ca_file: Option<PathBuf>,
    /// Name or address that the server's certificate is for, if it is another than in URL
    #[arg(long, value_name = "NAME", requires = "server", value_parser = server_name)]
    pub(super) server_name: Option<ServerName<'static>>,
    /// File to write the report to as well, such as /dev/termination-log
    #[arg(long, value_name = "FILE", requires = "server")]
    pub(super) termination_log: Option<PathBuf>,
}
