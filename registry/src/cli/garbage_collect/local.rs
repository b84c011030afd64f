//! The garbage collection on the storage itself, without a server or beside one.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use berth_registry::{
    config::Options as ConfigOptions,
    reconfiguration,
    repository::{Options, Registry, RunState},
    telemetry,
};

use tracing::Level;

use super::{Arguments, printed};
use crate::cli::{load_config, runtime, serve::open_store};

pub(super) fn run(config: &PathBuf, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let loaded = load_config(Some(config), &ConfigOptions::default())?;
    let rules = reconfiguration::rules(&loaded.config);
    let mut log = loaded.config.log;
    if arguments.output.quiet {
        log.level = Level::ERROR;
    }
    telemetry::start(&log);
    let registry = Registry::new(open_store(&loaded.config.storage)?, rules);
    let options = Options {
        delete_untagged: arguments.delete_untagged,
        minimum_age: arguments.min_age,
        dry_run: arguments.dry_run,
        quarantine: quarantine(arguments),
        finish: true,
        candidates: usize::MAX,
        ..Options::default()
    };
    let run = runtime()?.block_on(registry.garbage_collection().run_to_end(options))?;
    if !arguments.output.quiet {
        printed::print(&run, arguments)?;
    }
    match (&run.state, &run.error) {
        (RunState::Failed, Some(error)) => anyhow::bail!("the garbage collection failed: {error}"),
        (RunState::Failed, None) => anyhow::bail!("the garbage collection failed"),
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// Garbage rests for the sake of servers, which know of the quarantine what they have read a moment ago.
fn quarantine(arguments: &Arguments) -> Duration {
    if arguments.offline { Duration::ZERO } else { Options::SHORTEST_QUARANTINE }
}
