//! The garbage collection on the storage itself, without a server or beside one.

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use berth_registry::{
    config::Options as ConfigOptions,
    repository::{Options, Registry, Rules, Run, RunState},
    telemetry,
};

use tracing::Level;

use super::Arguments;
use crate::cli::{load_config, output::counted, runtime, serve::open_store};

pub(super) fn run(config: &PathBuf, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let loaded = load_config(Some(config), &ConfigOptions::default())?;
    let mut log = loaded.config.log;
    if arguments.quiet {
        log.level = Level::ERROR;
    }
    telemetry::start(&log);
    let registry = Registry::new(open_store(&loaded.config.storage), Rules::default());
    let options = Options {
        delete_untagged: arguments.delete_untagged,
        minimum_age: arguments.min_age,
        dry_run: arguments.dry_run,
        ..Options::default()
    };
    let run = runtime()?.block_on(registry.garbage_collection().run_to_end(options))?;
    if !arguments.quiet {
        writeln!(io::stdout(), "{}", summary(&run))?;
    }
    match (&run.state, &run.error) {
        (RunState::Failed, Some(error)) => anyhow::bail!("the garbage collection failed: {error}"),
        (RunState::Failed, None) => anyhow::bail!("the garbage collection failed"),
        _ => Ok(ExitCode::SUCCESS),
    }
}

fn summary(run: &Run) -> String {
    let verb = if run.dry_run { "would be deleted (dry run)" } else { "deleted" };
    format!(
        "{}, {} with {}, and {} {verb}",
        counted(run.manifests_deleted, "manifest", "manifests"),
        counted(run.blobs_deleted, "blob", "blobs"),
        counted(run.bytes_freed, "byte", "bytes"),
        counted(run.uploads_deleted, "upload", "uploads")
    )
}
