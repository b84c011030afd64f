//! What may be said on the command line.

use crate::content::Size;
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

/// Measures this registry against the original ones and nginx.
#[derive(Debug, Parser)]
pub(crate) struct CommandLine {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What is to be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Measure, and print the table.
    Run(Options),
    /// Print how the rows of one run stand to those of another.
    Compare {
        /// The file of the run before.
        before: PathBuf,
        /// The file of the run after.
        after: PathBuf,
    },
}

/// What is measured, and how long.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// How many times each row is measured for each server.
    #[arg(long, default_value_t = 3)]
    pub(crate) rounds: usize,
    /// How long each row that repeats a request is measured for, each time.
    #[arg(long, default_value = "2", value_parser = seconds)]
    pub(crate) seconds: Duration,
    /// How much there is of everything.
    #[arg(long, value_enum, default_value = "full")]
    pub(crate) size: Size,
    /// Measure only rows that contain one of these texts, as in `blob GET|push of 1 GiB`.
    #[arg(long, value_delimiter = '|')]
    pub(crate) only: Vec<String>,
    /// Measure only these servers, as in `berth,nginx`.
    #[arg(long, value_delimiter = ',')]
    pub(crate) servers: Vec<String>,
    /// Write the results to this file as well.
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,
    /// Measure this program of the registry, such as that of another commit.
    #[arg(long)]
    pub(crate) registry: Option<PathBuf>,
    /// Keep the data below this folder instead of cargo's output folder; it should be on a disk.
    #[arg(long)]
    pub(crate) folder: Option<PathBuf>,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "this is no number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

impl Options {
    /// Whether a row is to be measured.
    pub(crate) fn wants(&self, operation: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|text| operation.contains(text))
    }

    /// Whether a server or a limit is to be measured.
    pub(crate) fn wants_server(&self, name: &str) -> bool {
        self.servers.is_empty() || self.servers.iter().any(|server| server == name)
    }
}
