//! What one client has been told by the server. Where no answer came, more than one thing may be true until it looks.

use super::content::{Blob, Image};
use anyhow::{Result, ensure};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// How many deletions are remembered.
const MOST_DELETED: usize = 6;

/// The digest of what a tag points at; `None` is nothing.
pub(crate) type Target = Option<String>;

/// The name of something in a repository.
pub(crate) type Name = (&'static str, String);

/// A blob that no image needs.
#[derive(Debug, Clone)]
pub(crate) struct Loose {
    pub(crate) repository: &'static str,
    pub(crate) blob: Blob,
    /// When a server has last acknowledged it.
    pub(crate) acknowledged: Instant,
}

impl Loose {
    /// Whether they are the same blob of the same repository.
    pub(crate) fn is_of(&self, other: &Self) -> bool {
        self.repository == other.repository && self.blob.digest == other.blob.digest
    }
}

/// Tags and blobs that this client alone changes.
#[derive(Debug, Default)]
pub(crate) struct Model {
    tags: BTreeMap<Name, BTreeSet<Target>>,
    images: BTreeMap<String, Image>,
    /// Blobs that may be garbage by now.
    pub(crate) loose: Vec<Loose>,
    /// Manifests whose deletion was acknowledged.
    pub(crate) deleted: BTreeSet<Name>,
    /// Manifests with a subject that were acknowledged, and that nobody has tried to take away since.
    pub(crate) referrers: BTreeSet<Name>,
}

impl Model {
    /// What the tag may point at.
    pub(crate) fn of(&self, tag: &Name) -> BTreeSet<Target> {
        self.tags.get(tag).cloned().unwrap_or_else(|| BTreeSet::from([None]))
    }

    /// What the tag points at, if that is known.
    pub(crate) fn known(&self, tag: &Name) -> Option<Target> {
        let mut targets = self.of(tag).into_iter();
        targets.next().filter(|_| targets.next().is_none())
    }

    /// The tag is about to be pushed.
    pub(crate) fn push(&mut self, tag: &Name, image: &Image) {
        self.may_be(tag, Some(image.digest.clone()));
        self.images.insert(image.digest.clone(), image.clone());
    }

    /// It is not known whether the tag points there, or where it did before.
    pub(crate) fn may_be(&mut self, tag: &Name, target: Target) {
        let mut targets = self.of(tag);
        self.no_longer_refer(tag.0, &targets);
        targets.insert(target);
        self.tags.insert(tag.clone(), targets);
    }

    /// The tag points there.
    pub(crate) fn set(&mut self, tag: &Name, target: Target) {
        self.tags.insert(tag.clone(), BTreeSet::from([target]));
    }

    /// Nothing came of a push.
    pub(crate) fn restore(&mut self, tag: &Name, targets: BTreeSet<Target>) {
        self.tags.insert(tag.clone(), targets);
    }

    /// The tag does not point there any more.
    pub(crate) fn leave(&mut self, tag: &Name, target: &Target) {
        let mut targets = self.of(tag);
        targets.remove(target);
        targets.insert(None);
        self.tags.insert(tag.clone(), targets);
    }

    /// Somebody has looked.
    pub(crate) fn seen(&mut self, tag: &Name, found: Target) -> Result<()> {
        let expected = self.of(tag);
        ensure!(expected.contains(&found), "LOST: {tag:?} is at {found:?}, and not at one of {expected:?}");
        self.set(tag, found);
        Ok(())
    }

    /// What has lost its tag, or may have, is left to the garbage collection.
    fn no_longer_refer(&mut self, repository: &'static str, targets: &BTreeSet<Target>) {
        for digest in targets.iter().flatten() {
            self.referrers.remove(&(repository, digest.clone()));
        }
    }

    /// All tags that were ever pushed, or tried to be.
    pub(crate) fn tags(&self) -> Vec<Name> {
        self.tags.keys().cloned().collect()
    }

    /// The tags of the repository that point at the digest, or may.
    pub(crate) fn tags_of(&self, repository: &str, digest: &str) -> Vec<Name> {
        let target = Some(digest.to_owned());
        let tags =
            self.tags.iter().filter(|((of, _), targets)| *of == repository && targets.contains(&target));
        tags.map(|(tag, _)| tag.clone()).collect()
    }

    pub(crate) fn image(&self, digest: &str) -> Option<Image> {
        self.images.get(digest).cloned()
    }

    /// Forgets the images that no tag may point at.
    pub(crate) fn tidy(&mut self) {
        let targets: BTreeSet<_> = self.tags.values().flatten().flatten().cloned().collect();
        self.images.retain(|digest, _| targets.contains(digest));
        while self.deleted.len() > MOST_DELETED {
            self.deleted.pop_first();
        }
    }
}
