//! The garbage collection on the storage itself, without a server or beside one.

use std::{
    path::PathBuf,
    process::ExitCode,
    sync::mpsc::sync_channel,
    thread::{self, JoinHandle},
    time::Duration,
};

use berth_registry::{
    config::Options as ConfigOptions,
    reconfiguration,
    repository::{Options, Registry, RunState},
    telemetry,
};

use tracing::Level;

use super::{Arguments, printed};
use crate::cli::{load_config, runtime, serve::open_store};

/// How many candidates may wait for being printed.
const CANDIDATES_AHEAD: usize = 1000;

pub(super) fn run(config: &PathBuf, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let loaded = load_config(Some(config), &ConfigOptions::default())?;
    let rules = reconfiguration::rules(&loaded.config);
    let mut log = loaded.config.log;
    if arguments.output.quiet {
        log.level = Level::ERROR;
    }
    telemetry::start(&log);
    let registry = Registry::new(open_store(&loaded.config.storage)?, rules);
    let is_told_by_lines = !arguments.output.quiet && !arguments.output.json;
    let options = Options {
        delete_untagged: arguments.delete_untagged,
        minimum_age: arguments.min_age,
        dry_run: arguments.dry_run,
        quarantine: quarantine(arguments),
        finish: true,
        candidates: if arguments.output.json { usize::MAX } else { 0 },
        ..Options::default()
    };
    let collection = registry.garbage_collection();
    let printing = is_told_by_lines.then(|| {
        let (listener, candidates) = sync_channel(CANDIDATES_AHEAD);
        collection.tell(listener);
        thread::spawn(|| printed::print_candidates(candidates))
    });
    let run = runtime()?.block_on(collection.run_to_end(options))?;
    if let Some(Ok(printed)) = printing.map(JoinHandle::join) {
        printed?;
    }
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
