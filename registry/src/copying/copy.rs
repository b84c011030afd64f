//! The course of a copy: which images, several at once, each with what belongs to it.

use std::sync::Arc;

use berth_oci::{Digest, Reference, RepositoryName, Tag};
use futures::{StreamExt as _, stream};
use tokio::sync::Semaphore;

use super::{
    Error, Place, Progress, Report, Result,
    attempts::persistently,
    blobs::Known,
    progress::Counters,
    referrers::{Subjects, stands_for_referrers},
    trees::Trees,
};

/// How many tags of all repositories are looked at once.
const IMAGES: usize = 16;

/// A repository, or an image of it, and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The repository in the source.
    pub from: RepositoryName,
    /// The one in the destination.
    pub to: RepositoryName,
    /// Which image; all tags when there is none.
    pub reference: Option<Reference>,
    /// The tag that it gets; that of the source, if it has one, when there is none.
    pub tag: Option<Tag>,
}

/// From which repository to which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) from: RepositoryName,
    pub(super) to: RepositoryName,
}

/// A copy from one place to another.
#[derive(Debug)]
pub struct Copy {
    pub(super) source: Place,
    pub(super) destination: Place,
    pub(super) counters: Arc<Counters>,
    pub(super) known: Known,
    pub(super) trees: Trees,
    pub(super) subjects: Subjects,
    pub(super) transfers: Semaphore,
}

impl Copy {
    /// A copy that sends at most so many blobs at once.
    pub fn new(source: Place, destination: Place, transfers: usize) -> Self {
        Self {
            source,
            destination,
            counters: Arc::default(),
            known: Known::default(),
            trees: Trees::default(),
            subjects: Subjects::default(),
            transfers: Semaphore::new(transfers.max(1)),
        }
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        self.counters.progress()
    }

    /// Copies everything that is wanted. What fails keeps nothing else from being copied.
    ///
    /// All decisions are made by the thread that waits for this; connections, hashes and disks have threads of their own.
    pub async fn run(&self, wanted: Vec<Wanted>) -> Report {
        let images = stream::iter(wanted)
            .then(|wanted| self.images(wanted))
            .flat_map(stream::iter)
            .map(|image| self.image(image));
        images.buffer_unordered(IMAGES).for_each(|()| std::future::ready(())).await;
        self.counters.report()
    }

    /// The images of a repository, one by one.
    async fn images(&self, wanted: Wanted) -> Vec<Wanted> {
        if wanted.reference.is_some() {
            return vec![wanted];
        }
        let tags = match persistently(async || self.source.tags(&wanted.from).await).await {
            Ok(tags) => tags,
            Err(error) => {
                self.counters.fail(wanted.from.to_string(), error.with_causes());
                return Vec::new();
            }
        };
        let tags = tags.into_iter().filter(|tag| !stands_for_referrers(tag));
        tags.map(|tag| Wanted { reference: Some(Reference::Tag(tag)), ..wanted.clone() }).collect()
    }

    async fn image(&self, image: Wanted) {
        let Wanted { from, to, reference, tag } = image;
        let Some(reference) = reference else { return };
        self.counters.images.add(1);
        let tag = match &reference {
            Reference::Tag(same) => Some(tag.unwrap_or_else(|| same.clone())),
            Reference::Digest(_) => tag,
        };
        let separator = if matches!(reference, Reference::Tag(_)) { ':' } else { '@' };
        let name = format!("{from}{separator}{reference}");
        match self.bring_image(&Route { from, to }, &reference, tag).await {
            Ok(true) => self.counters.copied.add(1),
            Ok(false) => self.counters.unchanged.add(1),
            Err(error) => self.counters.fail(name, error.with_causes()),
        }
    }

    /// Brings an image to the destination, its tag last. Returns whether it was not there as it is.
    async fn bring_image(&self, route: &Route, reference: &Reference, tag: Option<Tag>) -> Result<bool> {
        let digest = self.resolve(route, reference).await?;
        let goal = tag.map_or(Reference::Digest(digest), Reference::Tag);
        let there = persistently(async || self.destination.digest(&route.to, &goal).await).await?;
        let tree = self.tree(route, digest, 0).await?;
        self.referrers(route, &tree).await?;
        if there == Some(digest) {
            return Ok(false);
        }
        if let Reference::Tag(_) = goal {
            self.point(route, digest, &goal).await?;
        }
        Ok(true)
    }

    /// The digest of what is wanted.
    async fn resolve(&self, route: &Route, reference: &Reference) -> Result<Digest> {
        if let Reference::Digest(digest) = reference {
            return Ok(*digest);
        }
        let told = persistently(async || self.source.digest(&route.from, reference).await).await?;
        if let Some(digest) = told {
            return Ok(digest);
        }
        // Some registries do not tell it without the manifest.
        let found = persistently(async || self.source.manifest(&route.from, reference).await).await?;
        found.map(|found| found.digest).ok_or_else(|| Error::Missing(format!("the manifest {reference}")))
    }

    /// Sets a tag of the destination to a manifest that it has.
    async fn point(&self, route: &Route, digest: Digest, tag: &Reference) -> Result<()> {
        let by_digest = Reference::Digest(digest);
        let manifest = persistently(async || self.destination.manifest(&route.to, &by_digest).await).await?;
        let manifest = manifest.ok_or_else(|| Error::Missing(format!("the manifest {digest} any more")))?;
        persistently(async || self.destination.put_manifest(&route.to, tag, &manifest).await).await
    }
}
