//! The configuration: `version: 0.1` YAML of the CNCF Distribution registry, with `REGISTRY_*` variables laid over it.
//!
//! Two levels: `settings` holds what was written, by the table in `keys` and the names in `environment`;
//! `validate` turns it into [`Config`], in which every value is usable. Nothing else reads the environment.

mod duration;
mod environment;
mod error;
mod health;
mod http;
mod keys;
mod log;
mod notifications;
mod settings;
mod validate;
mod validation;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use serde_yaml::Value;

pub use duration::parse as parse_duration;
pub use error::{Error, Origin};
pub use health::{FileCheck, Health, HttpCheck, Pace, TcpCheck};
pub use http::{Address, ClientCertificates, ClientDemand, Debug, Http, Listen, Tls, TlsVersion};
pub use log::{Log, LogFormat};
pub use notifications::{Endpoint, Notifications};
use settings::Settings;
pub use validation::{IndexPlatforms, Platform, Validation};

/// What the server does, in values that have been checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// What is logged, and how.
    pub log: Log,
    /// Where objects are kept.
    pub storage: Storage,
    /// What clients may do to what is stored.
    pub rules: Rules,
    /// How forgotten uploads are removed; `None` when they are kept.
    pub upload_purging: Option<UploadPurging>,
    /// What manifests may refer to.
    pub validation: Validation,
    /// The longest pages of lists.
    pub limits: Limits,
    /// The listener and the answers' outside.
    pub http: Http,
    /// A second listener for metrics and health; `None` when there is none.
    pub debug: Option<Debug>,
    /// What must be well for the server to say that it is.
    pub health: Health,
    /// Who is told of pushes, pulls and deletions.
    pub notifications: Notifications,
    /// The password file; `None` when everybody may come in.
    pub htpasswd: Option<Htpasswd>,
    /// The file of access rules; `None` when every user may do everything.
    pub access_rules: Option<PathBuf>,
}

/// Where objects are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Storage {
    /// Below a folder.
    Filesystem {
        /// The folder, in which `docker/registry/v2` lies.
        root: PathBuf,
    },
    /// In the memory of the process; gone when it ends.
    Memory,
}

/// What clients may do to what is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Whether manifests and blobs may be deleted.
    pub delete_enabled: bool,
    /// Whether pushes and deletions are refused.
    pub read_only: bool,
}

/// How forgotten uploads are removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UploadPurging {
    /// Uploads that began longer ago are removed.
    pub age: Duration,
    /// How often the server looks for them.
    pub interval: Duration,
}

/// The longest pages of lists, in entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Of the catalog (`catalog.maxentries`).
    pub catalog: usize,
    /// Of the tags of a repository (`tags.maxtags`).
    pub tags: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { catalog: 1000, tags: 1000 }
    }
}

/// Authentication by a password file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Htpasswd {
    /// What clients show when they ask for a password.
    pub realm: String,
    /// The file: lines of `user:bcrypt-hash`.
    pub path: PathBuf,
}

/// A configuration and what the user should know about it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The file that was read; `None` for the built-in defaults.
    pub file: Option<PathBuf>,
    /// What the server does.
    pub config: Config,
    /// Settings that change nothing, each with the reason; worth a warning each.
    pub warnings: Vec<String>,
    /// `REGISTRY_*` variables that are no settings: perhaps misspelt, or meant for another program.
    pub ignored_variables: Vec<String>,
}

/// What a command line sets over file and environment.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `storage.filesystem.rootdirectory`.
    pub root: Option<String>,
    /// `http.addr`.
    pub addr: Option<String>,
}

/// Loads the configuration from a file (or the built-in defaults), the environment and the command line.
pub fn load(
    file: Option<&Path>,
    variables: impl IntoIterator<Item = (String, String)>,
    options: &Options,
) -> Result<Loaded, Error> {
    let (mut settings, default_root) = match file {
        Some(path) => (read_file(path)?, "/var/lib/registry"),
        None => (Settings::default(), "data"),
    };
    let ignored_variables = environment::override_settings(&mut settings, variables)?;
    lay_option(&mut settings, "storage.filesystem.rootdirectory", options.root.as_ref(), "--root")?;
    lay_option(&mut settings, "http.addr", options.addr.as_ref(), "--addr")?;

    let mut warnings = settings.effects()?;
    let config = validate::config(&settings, Path::new(default_root), &mut warnings)?;
    Ok(Loaded { file: file.map(Path::to_owned), config, warnings, ignored_variables })
}

fn read_file(path: &Path) -> Result<Settings, Error> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| Error::Unreadable { path: path.to_owned(), source })?;
    let settings = Settings::from_yaml(&text, path)?;
    validate::version(&settings)?;
    Ok(settings)
}

fn lay_option(
    settings: &mut Settings,
    key: &str,
    value: Option<&String>,
    name: &'static str,
) -> Result<(), Error> {
    match value {
        Some(value) => settings.lay(key, Value::String(value.clone()), &Origin::Option(name)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
