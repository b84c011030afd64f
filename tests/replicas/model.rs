//! What servers have acknowledged. Where no answer came, more than one thing may be true until somebody looks.

use anyhow::{Result, ensure};
use std::collections::{BTreeMap, BTreeSet};

/// What a name points at; `None` is nothing.
pub(crate) type Target = Option<String>;

/// Names that one worker alone changes, and blobs, which nobody takes away.
#[derive(Default)]
pub(crate) struct Model {
    names: BTreeMap<(String, String), BTreeSet<Target>>,
    /// Repositories and the digests of blobs that are in them.
    pub(crate) blobs: BTreeSet<(String, String)>,
}

impl Model {
    /// What the name may point at.
    pub(crate) fn of(&self, repository: &str, name: &str) -> BTreeSet<Target> {
        let known = self.names.get(&(repository.to_owned(), name.to_owned()));
        known.cloned().unwrap_or_else(|| BTreeSet::from([None]))
    }

    /// What the name points at, if that is known.
    pub(crate) fn known(&self, repository: &str, name: &str) -> Option<Target> {
        let mut targets = self.of(repository, name).into_iter();
        targets.next().filter(|_| targets.next().is_none())
    }

    /// A change was acknowledged.
    pub(crate) fn set(&mut self, repository: &str, name: &str, target: Target) {
        self.names.insert((repository.to_owned(), name.to_owned()), BTreeSet::from([target]));
    }

    /// A change was asked for, and nobody knows whether it was made.
    pub(crate) fn may_be(&mut self, repository: &str, name: &str, target: Target) {
        let mut targets = self.of(repository, name);
        targets.insert(target);
        self.names.insert((repository.to_owned(), name.to_owned()), targets);
    }

    /// Somebody has looked.
    pub(crate) fn seen(&mut self, repository: &str, name: &str, found: Target) -> Result<()> {
        let expected = self.of(repository, name);
        ensure!(
            expected.contains(&found),
            "{repository}:{name} is at {found:?}, and not at one of {expected:?}"
        );
        self.set(repository, name, found);
        Ok(())
    }

    /// All names that were ever used.
    pub(crate) fn names(&self) -> Vec<(String, String)> {
        self.names.keys().cloned().collect()
    }
}
