//! What one worker knows of its own names, which nobody else changes.

use anyhow::{Result, ensure};
use std::collections::{BTreeMap, BTreeSet};

/// What a name points at; `None` is nothing.
pub(crate) type Target = Option<String>;

/// Names of manifests, and blobs.
#[derive(Debug, Default)]
pub(crate) struct Model {
    names: BTreeMap<(String, String), Target>,
    /// Repositories and the digests of the blobs in them.
    blobs: BTreeSet<(String, String)>,
    /// Those that were deleted.
    gone: BTreeSet<(String, String)>,
}

impl Model {
    /// What the name points at.
    pub(crate) fn target(&self, repository: &str, name: &str) -> Target {
        self.names.get(&(repository.to_owned(), name.to_owned())).cloned().flatten()
    }

    pub(crate) fn set(&mut self, repository: &str, name: &str, target: Target) {
        self.names.insert((repository.to_owned(), name.to_owned()), target);
    }

    /// Refuses what is not as it was acknowledged.
    pub(crate) fn compare(&self, repository: &str, name: &str, found: &Target) -> Result<()> {
        let expected = self.target(repository, name);
        ensure!(expected == *found, "{repository}:{name} is at {found:?}, and not at {expected:?}");
        Ok(())
    }

    /// All names that were ever used.
    pub(crate) fn names(&self) -> Vec<(String, String)> {
        self.names.keys().cloned().collect()
    }

    /// The tags of a repository, in their order.
    pub(crate) fn tags(&self, repository: &str) -> Vec<&str> {
        let there = self.names.iter().filter(|((of, name), target)| {
            of == repository && target.is_some() && !name.starts_with("sha256:")
        });
        there.map(|((_, name), _)| name.as_str()).collect()
    }

    pub(crate) fn add_blob(&mut self, repository: &str, digest: &str) {
        self.gone.remove(&(repository.to_owned(), digest.to_owned()));
        self.blobs.insert((repository.to_owned(), digest.to_owned()));
    }

    pub(crate) fn remove_blob(&mut self, repository: &str, digest: &str) {
        self.blobs.remove(&(repository.to_owned(), digest.to_owned()));
        self.gone.insert((repository.to_owned(), digest.to_owned()));
    }

    pub(crate) fn blobs(&self) -> impl DoubleEndedIterator<Item = &(String, String)> {
        self.blobs.iter()
    }

    pub(crate) fn gone(&self) -> impl Iterator<Item = &(String, String)> {
        self.gone.iter()
    }
}
