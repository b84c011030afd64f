//! The storage that a command works on, beside a running server or without one.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, bail, ensure};
use berth_registry::{
    config::{Config, Log, Options, Storage},
    reconfiguration,
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
    /// What a command read itself.
    pub(super) fn new(config: Option<String>, root: Option<String>) -> Self {
        Self { config: config.map(PathBuf::from), root }
    }

    /// Takes the word for the configuration file when it names one and nothing else does: the word before
    /// CONFIG may be left out.
    pub(super) fn claim(&mut self, word: &mut Option<String>) {
        if self.config.is_none() {
            self.config = word.take_if(|word| Path::new(word).is_file()).map(PathBuf::from);
        }
    }

    fn config(&self) -> anyhow::Result<Config> {
        let options = Options { root: self.root.clone(), ..Options::default() };
        let config = load_config(self.config.as_ref(), &options)?.config;
        if config.storage == Storage::Memory {
            bail!("this registry keeps its images in memory, where only its server sees them");
        }
        Ok(config)
    }

    /// The configuration of a registry that has to exist.
    fn existing(&self) -> anyhow::Result<Config> {
        let config = self.config()?;
        if let Storage::Filesystem { root } = &config.storage {
            ensure!(
                root.is_dir(),
                "there is no folder {}: name the registry's configuration file, or its folder with --root",
                root.display()
            );
        }
        Ok(config)
    }

    /// The registry, which has to exist, for whoever only reads.
    pub(super) fn open_to_read(&self) -> anyhow::Result<Registry> {
        let config = self.existing()?;
        Ok(Registry::new(serve::open_store(&config.storage)?, Rules::default()))
    }

    /// The registry, which need not exist yet and in which the rules for pushes hold.
    pub(super) fn open_to_push_to(&self) -> anyhow::Result<Registry> {
        let config = self.config()?;
        Ok(Registry::new(serve::open_store(&config.storage)?, reconfiguration::rules(&config)))
    }

    /// Does `work` with the registry, which has to exist and in which an administrator may do everything.
    pub(super) fn with_registry(
        &self,
        work: impl AsyncFnOnce(Registry) -> anyhow::Result<ExitCode>,
    ) -> anyhow::Result<ExitCode> {
        let config = self.existing()?;
        // What an image may lack, it may lack for everybody.
        let Rules { required_content, mirrored, .. } = reconfiguration::rules(&config);
        with(&config, Rules { required_content, mirrored, ..Rules::default() }, work)
    }

    /// Does `work` with the registry, which has to exist and in which the rules of its configuration hold.
    pub(super) fn with_configured_registry(
        &self,
        work: impl AsyncFnOnce(Registry) -> anyhow::Result<ExitCode>,
    ) -> anyhow::Result<ExitCode> {
        let config = self.existing()?;
        with(&config, reconfiguration::rules(&config), work)
    }

    /// Does `work` with the registry, which need not exist yet and in which the rules for pushes hold, and with a
    /// folder for temporary files that may become as large as what is pushed.
    pub(super) fn with_registry_to_push_to(
        &self,
        work: impl AsyncFnOnce(Registry, PathBuf) -> anyhow::Result<ExitCode>,
    ) -> anyhow::Result<ExitCode> {
        let config = self.config()?;
        let temporary = temporary_folder(&config.storage)?;
        let rules = reconfiguration::rules(&config);
        with(&config, rules, async |registry| work(registry, temporary).await)
    }
}

/// The folder that TMPDIR names, or that of the storage: a container may have no other that can be written to.
fn temporary_folder(storage: &Storage) -> anyhow::Result<PathBuf> {
    match (env::var_os("TMPDIR").filter(|folder| !folder.is_empty()), storage) {
        (None, Storage::Filesystem { root }) => {
            let context = || format!("the folder {} cannot be made", root.display());
            fs::create_dir_all(root).with_context(context)?;
            Ok(root.clone())
        }
        _ => Ok(env::temp_dir()),
    }
}

/// Does `work` with the registry of a configuration. The log tells only what is wrong.
fn with(
    config: &Config,
    rules: Rules,
    work: impl AsyncFnOnce(Registry) -> anyhow::Result<ExitCode>,
) -> anyhow::Result<ExitCode> {
    telemetry::start(&Log { level: config.log.level.min(Level::WARN), ..config.log.clone() });
    let registry = Registry::new(serve::open_store(&config.storage)?, rules);
    runtime()?.block_on(work(registry))
}
