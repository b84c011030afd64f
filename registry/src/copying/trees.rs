//! Manifests with all that they need: blobs first, then the images of an index, then the manifest itself.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use berth_oci::{Descriptor, Digest, Manifest as Document, MediaType, Reference, RepositoryName};
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, future::LocalBoxFuture, stream};
use tokio::sync::OnceCell;

use super::{
    Error, Result,
    attempts::persistently,
    copy::{Copy, Route},
    place::Manifest,
};

/// How deep indexes may list indexes.
const DEEPEST: usize = 8;

/// How many parts of a manifest are looked after at once.
const PARTS: usize = 8;

/// The digests of a manifest and of all manifests below it.
pub(super) type Tree = Arc<Vec<Digest>>;

/// The trees that are in the destination, or on their way there: each goes there once.
#[derive(Debug, Default)]
pub(super) struct Trees(Mutex<HashMap<(RepositoryName, Digest), Growing>>);

/// A place for a tree, which those who need the same one wait for.
type Growing = Arc<OnceCell<Tree>>;

impl Trees {
    fn cell(&self, name: &RepositoryName, digest: &Digest) -> Growing {
        let mut trees = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(trees.entry((name.clone(), *digest)).or_default())
    }
}

impl Copy {
    /// Brings a manifest with all that it needs to the destination.
    pub(super) fn tree<'a>(
        &'a self,
        route: &'a Route,
        digest: Digest,
        depth: usize,
    ) -> LocalBoxFuture<'a, Result<Tree>> {
        async move {
            if depth > DEEPEST {
                return Err(Error::TooDeep(digest));
            }
            let cell = self.trees.cell(&route.to, &digest);
            cell.get_or_try_init(|| self.grow(route, digest, depth)).await.cloned()
        }
        .boxed_local()
    }

    async fn grow(&self, route: &Route, digest: Digest, depth: usize) -> Result<Tree> {
        let reference = Reference::Digest(digest);
        let there = persistently(async || self.destination.manifest(&route.to, &reference).await).await?;
        if let Some(manifest) = there {
            // It came after its blobs; but some registries take an index without its images.
            return self.children(route, &manifest, &parse(&manifest)?, depth).await;
        }
        let manifest = persistently(async || self.source.manifest(&route.from, &reference).await).await?;
        let manifest = manifest.ok_or_else(|| Error::Missing(format!("the manifest {digest}")))?;
        let document = parse(&manifest)?;
        let blobs = document.config().into_iter().chain(document.layers());
        let blobs = blobs.chain(document.manifests().iter().filter(|child| !is_manifest(child)));
        stream::iter(blobs)
            .map(|blob| Ok(self.blob(route, blob)))
            .try_for_each_concurrent(PARTS, |blob| blob)
            .await?;
        let tree = self.children(route, &manifest, &document, depth).await?;
        if !self.is_dry_run {
            persistently(async || self.destination.put_manifest(&route.to, &reference, &manifest).await)
                .await?;
        }
        self.counters.manifests.add(1);
        Ok(tree)
    }

    /// The manifest, and those of an index that the source has.
    async fn children(
        &self,
        route: &Route,
        manifest: &Manifest,
        document: &Document,
        depth: usize,
    ) -> Result<Tree> {
        let children = document.manifests().iter().filter(|child| is_manifest(child));
        let trees = stream::iter(children)
            .map(|child| async move {
                // An index may list images of platforms that were left out.
                self.tree_if_there(route, child.digest, depth + 1).await.map(Option::unwrap_or_default)
            })
            .buffer_unordered(PARTS);
        let trees: Vec<Tree> = trees.try_collect().await?;
        let below = trees.iter().flat_map(|tree| tree.iter().copied());
        Ok(Arc::new(std::iter::once(manifest.digest).chain(below).collect()))
    }

    /// The same of a manifest that something lists; `None` when the source does not have it.
    pub(super) async fn tree_if_there(
        &self,
        route: &Route,
        digest: Digest,
        depth: usize,
    ) -> Result<Option<Tree>> {
        let missing = match self.tree(route, digest, depth).await {
            Err(error @ Error::Missing(_)) => error,
            tree => return tree.map(Some),
        };
        let reference = Reference::Digest(digest);
        // If it is there, something that it needs is not.
        let there = persistently(async || self.source.manifest(&route.from, &reference).await).await?;
        if there.is_some() { Err(missing) } else { Ok(None) }
    }
}

fn parse(manifest: &Manifest) -> Result<Document> {
    let parsed = Document::parse(&manifest.bytes, Some(&manifest.media_type));
    parsed.map_err(|source| Error::Manifest { digest: manifest.digest, source })
}

/// Whether a part of an index is a manifest. Some build caches list their layers there.
fn is_manifest(child: &Descriptor) -> bool {
    let kind = &child.media_type;
    kind.is_image() || kind.is_index() || kind.is_schema1() || kind.essence() == MediaType::OCI_ARTIFACT
}
