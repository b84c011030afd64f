//! The configuration: `version: 0.1` YAML of the CNCF Distribution registry, with `REGISTRY_*` variables laid over it.
//!
//! A file goes this way: `document` reads its text into a `tree` that knows its lines, `environment` lays variables
//! over it, `check` holds it against the table in `keys`, and `validate` turns it, through the typed reading of
//! `settings`, into [`Config`], in which every value is usable. Nothing else reads the environment.

mod check;
mod collection;
mod document;
mod duration;
mod environment;
mod error;
mod health;
mod http;
mod key_path;
mod keys;
mod log;
mod mirror;
mod network;
mod notifications;
mod origin;
mod overview;
mod redirect;
mod settings;
mod token;
mod tree;
mod user_agent;
mod validate;
mod validation;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

pub use collection::CollectionSchedule;
pub use duration::parse as parse_duration;
pub use error::Error;
pub use health::{FileCheck, Health, HttpCheck, Pace, TcpCheck};
pub use http::{Address, ClientCertificates, ClientDemand, Debug, Http, Listen, Tls, TlsVersion};
pub use log::{Log, LogFormat};
pub use mirror::{Mirror, MirrorCredentials, Prefetch};
pub use network::Network;
pub use notifications::{Endpoint, Notifications};
pub use origin::Origin;
pub use overview::Setting;
pub use redirect::{Choice, Redirect};
pub use token::{OwnTokens, ServiceAccounts, Token, TokenRealm};
pub use user_agent::UserAgentPattern;
pub use validation::{ImageLayers, IndexPlatforms, Platform, Validation};

use crate::repository::{Reserve, RetentionRule};
use berth_storage::S3Settings;
use key_path::KeyPath;
use settings::Settings;
use tree::Node;

/// What the server does, in values that have been checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// What is logged, and how.
    pub log: Log,
    /// Where objects are kept.
    pub storage: Storage,
    /// Which pulls of blobs are redirected to the storage; `None` when all blobs are served here.
    pub redirect: Option<Redirect>,
    /// What clients may do to what is stored.
    pub rules: Rules,
    /// How much of the storage is kept free of pushes.
    pub reserve: Reserve,
    /// For how long what was deleted can be brought back; none deletes at once.
    pub trash_window: Duration,
    /// Which tags are kept; all of them when there is no rule.
    pub retention: Vec<RetentionRule>,
    /// How forgotten uploads are removed; `None` when they are kept.
    pub upload_purging: Option<UploadPurging>,
    /// How often garbage is collected; `None` when only on request.
    pub collection: Option<CollectionSchedule>,
    /// Which other registries are mirrored.
    pub mirrors: Vec<Mirror>,
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
    /// Whose tokens let clients in; `None` when it is not by tokens of somebody else.
    pub token: Option<Token>,
    /// Whose ServiceAccounts come in by their tokens; `None` when none do.
    pub service_accounts: Option<ServiceAccounts>,
    /// The tokens that this server gives to users; `None` when it gives none.
    pub own_tokens: Option<OwnTokens>,
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
    /// In a bucket.
    S3(Box<S3Settings>),
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
    /// Whether they are only told, and kept.
    pub dry_run: bool,
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
    /// Whether each of several lines of a user counts, and not only the last one.
    pub overlap: bool,
}

/// A configuration and what the user should know about it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The file that was read; `None` for the built-in defaults.
    pub file: Option<PathBuf>,
    /// What the server does.
    pub config: Config,
    /// The settings that this follows from, with their places.
    pub settings: Vec<Setting>,
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
    let Some(path) = file else {
        return load_tree(Node::empty(Origin::Default), None, variables, options);
    };
    let text = std::fs::read_to_string(path)
        .map_err(|source| Error::Unreadable { path: path.to_owned(), source })?;
    load_text(path, &text, variables, options)
}

/// Loads a configuration from the text that was read from this file, and variables and options as above.
pub fn load_text(
    path: &Path,
    text: &str,
    variables: impl IntoIterator<Item = (String, String)>,
    options: &Options,
) -> Result<Loaded, Error> {
    load_tree(read_text(path, text)?, Some(path), variables, options)
}

fn load_tree(
    mut tree: Node,
    file: Option<&Path>,
    variables: impl IntoIterator<Item = (String, String)>,
    options: &Options,
) -> Result<Loaded, Error> {
    let default_root = if file.is_some() { "/var/lib/registry" } else { "data" };
    let ignored_variables = environment::override_settings(&mut tree, variables)?;
    lay_option(&mut tree, ROOT_DIRECTORY, options.root.as_ref(), "--root")?;
    lay_option(&mut tree, "http.addr", options.addr.as_ref(), "--addr")?;
    check::shape(&tree)?;
    let mut warnings = check::effects(&tree)?;
    lay_default_root(&mut tree, default_root)?;

    let config = validate::config(&Settings::new(&tree), &mut warnings)?;
    let settings = overview::settings(&tree);
    Ok(Loaded { file: file.map(Path::to_owned), config, settings, warnings, ignored_variables })
}

const ROOT_DIRECTORY: &str = "storage.filesystem.rootdirectory";

fn read_text(path: &Path, text: &str) -> Result<Node, Error> {
    let path: Arc<Path> = path.into();
    let origin = |line| Origin::File { path: Arc::clone(&path), line };
    let mut tree = document::read(text, &origin).map_err(|error| Error::syntax(error, &origin))?;
    check::spell_out_choices(&mut tree);
    check::shape(&tree)?;
    validate::version(&Settings::new(&tree))?;
    Ok(tree)
}

fn lay_option(tree: &mut Node, key: &str, value: Option<&String>, name: &'static str) -> Result<(), Error> {
    match value {
        Some(value) => Ok(tree.put(&KeyPath::of(key), Node::scalar(value, Origin::Option(name)))?),
        None => Ok(()),
    }
}

/// Without a storage, and without a folder for it, images are kept in a folder whose name depends on how we began.
fn lay_default_root(tree: &mut Node, root: &str) -> Result<(), Error> {
    let path = KeyPath::of(ROOT_DIRECTORY);
    let others = ["storage.inmemory", "storage.s3", "storage.s3aws"];
    let is_elsewhere = others.iter().any(|storage| tree.at(&KeyPath::of(storage)).is_some());
    if is_elsewhere || tree.at(&path).is_some_and(Node::is_written) {
        return Ok(());
    }
    Ok(tree.put(&path, Node::scalar(root, Origin::Default))?)
}

#[cfg(test)]
mod tests;
