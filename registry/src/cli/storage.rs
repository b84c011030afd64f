//! The storage that a command works on, beside a running server or without one.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{bail, ensure};
use berth_registry::{
    config::{Config, Options, Storage},
    repository::{Registry, Rules},
    telemetry,
};
use tracing::Level;

use super::{load_config, runtime, serve};

/// Names the storage. It stands last among the arguments of a command.
#[derive(Debug, clap::Args)]
pub(super) struct StorageArguments {
    /// Configuration file of the registry; without one, the file that `REGISTRY_CONFIGURATION_PATH` names
    config: Option<PathBuf>,
    /// Folder of the registry (storage.filesystem.rootdirectory)
    #[arg(long, value_name = "DIR")]
    root: Option<String>,
}

impl StorageArguments {
    /// Takes the word for the configuration file when it names one and nothing else does: the word before
    /// CONFIG may be left out.
    pub(super) fn claim(&mut self, word: &mut Option<String>) {
        if self.config.is_none() {
            self.config = word.take_if(|word| Path::new(word).is_file()).map(PathBuf::from);
        }
    }

    /// The registry over the storage, which allows what `rules` makes of the configuration. Its log tells only what
    /// is wrong.
    fn open(&self, rules: impl FnOnce(&Config) -> Rules) -> anyhow::Result<Registry> {
        let options = Options { root: self.root.clone(), ..Options::default() };
        let mut config = load_config(self.config.as_ref(), &options)?.config;
        match &config.storage {
            Storage::Filesystem { root } => ensure!(
                root.is_dir(),
                "there is no folder {}: name the registry's configuration file, or its folder with --root",
                root.display()
            ),
            Storage::Memory => {
                bail!("this registry keeps its images in memory, where only its server sees them")
            }
        }
        config.log.level = config.log.level.min(Level::WARN);
        telemetry::start(&config.log);
        Ok(Registry::new(serve::open_store(&config.storage), rules(&config)))
    }

    /// Does `work` with the registry, in which an administrator may do everything.
    pub(super) fn with_registry(
        &self,
        work: impl AsyncFnOnce(Registry) -> anyhow::Result<ExitCode>,
    ) -> anyhow::Result<ExitCode> {
        let registry = self.open(|_| Rules::default())?;
        runtime()?.block_on(work(registry))
    }
}
