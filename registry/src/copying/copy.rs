//! The course of a copy: which images, several at once, each with what belongs to it.

use std::sync::Arc;

use berth_oci::{Digest, Reference, RepositoryName, Tag};
use futures::{FutureExt as _, StreamExt as _, future::LocalBoxFuture, stream};
use tokio::sync::Semaphore;

use super::{
    Error, Place, Progress, Report, Result,
    attempts::persistently,
    blobs::Known,
    progress::Counters,
    referrers::Subjects,
    tags::Tags,
    trees::{Tree, Trees},
};
use crate::repository::TagPattern;

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

/// An image that is in the destination.
struct Brought {
    /// Whether it was not there before as it is.
    is_new: bool,
    tree: Tree,
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
    /// Whether nothing is written, and only looked at what would be.
    pub(super) is_dry_run: bool,
    tags: Tags,
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
            is_dry_run: false,
            tags: Tags::default(),
        }
    }

    /// The same copy, of the tags alone that one of the patterns stands for, if there is any. Signatures follow their images.
    #[must_use]
    pub fn of_tags(self, patterns: Vec<TagPattern>) -> Self {
        Self { tags: Tags::new(patterns), ..self }
    }

    /// The same copy, which writes nothing and reports what it would have written.
    #[must_use]
    pub fn as_dry_run(self) -> Self {
        Self { is_dry_run: true, ..self }
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
        let tags = self.tags.select(&wanted.from, tags).into_iter();
        tags.map(|tag| Wanted { reference: Some(Reference::Tag(tag)), ..wanted.clone() }).collect()
    }

    fn image(&self, image: Wanted) -> LocalBoxFuture<'_, ()> {
        self.one_image(image).boxed_local()
    }

    async fn one_image(&self, image: Wanted) {
        let Wanted { from, to, reference, tag } = image;
        let Some(reference) = reference else { return };
        self.counters.images.add(1);
        let tag = match &reference {
            Reference::Tag(same) => Some(tag.unwrap_or_else(|| same.clone())),
            Reference::Digest(_) => tag,
        };
        let separator = if matches!(reference, Reference::Tag(_)) { ':' } else { '@' };
        let name = format!("{from}{separator}{reference}");
        let route = Route { from, to };
        match self.bring_image(&route, &reference, tag).await {
            Ok(Brought { is_new, tree }) => {
                if is_new {
                    self.counters.copy(name);
                } else {
                    self.counters.unchanged.add(1);
                }
                self.followers(&route, &tree).await;
            }
            Err(error) => self.counters.fail(name, error.with_causes()),
        }
    }

    /// Copies the signatures that clients keep under tags.
    async fn followers(&self, route: &Route, tree: &[Digest]) {
        for tag in tree.iter().flat_map(|image| self.tags.following(&route.from, image)) {
            let Route { from, to } = route.clone();
            self.image(Wanted { from, to, reference: Some(Reference::Tag(tag)), tag: None }).await;
        }
    }

    /// Brings an image to the destination, its tag last.
    async fn bring_image(&self, route: &Route, reference: &Reference, tag: Option<Tag>) -> Result<Brought> {
        let digest = self.resolve(route, reference).await?;
        let goal = tag.map_or(Reference::Digest(digest), Reference::Tag);
        let there = persistently(async || self.destination.digest(&route.to, &goal).await).await?;
        let tree = self.tree(route, digest, 0).await?;
        self.referrers(route, &tree).await?;
        let is_new = there != Some(digest);
        if is_new && !self.is_dry_run && matches!(goal, Reference::Tag(_)) {
            self.point(route, digest, &goal).await?;
        }
        Ok(Brought { is_new, tree })
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
