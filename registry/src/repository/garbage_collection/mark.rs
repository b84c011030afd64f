//! Marking: what each repository needs, and which of its manifests no tag leads to.

use std::future::ready;
use std::pin::pin;

use berth_oci::{Algorithm, Digest, Tag};
use futures::TryStreamExt as _;

use super::graph::Graph;
use super::look::Look;
use super::references::References;
use crate::repository::digest_set::{Number, NumberSet};
use crate::repository::{Error, Repository, Result, layout};

/// Content up to this size may be a manifest that was pushed as a blob.
const LARGEST_MANIFEST: u64 = 4 * 1024 * 1024;

/// How many manifests are read at once.
const CONCURRENCY: usize = 16;

impl Look<'_> {
    /// Marks what the repository needs, after parting with its untagged manifests if that is wanted.
    pub(super) async fn mark_repository(&mut self, repository: &Repository) -> Result<()> {
        let delete_untagged = self.collector.options.delete_untagged;
        // A deletion is noted in the trash before the tag goes: whoever looks in this order sees one of the two.
        let tagged = if delete_untagged { self.tagged(repository).await? } else { Vec::new() };
        let (mut graph, kept) = self.read_manifests(repository).await?;
        if delete_untagged {
            let untagged = graph.unreachable(tagged.into_iter().chain(kept));
            self.part_with(repository, untagged, &mut graph).await?;
        }
        self.mark_manifests(repository, &graph).await?;
        self.mark_layers(repository).await
    }

    /// The manifests of the repository and of its trash, and those among them that are kept without a tag: the young ones
    /// and those of the trash.
    async fn read_manifests(&mut self, repository: &Repository) -> Result<(Graph, Vec<Number>)> {
        let folder = layout::revisions(&repository.name);
        let links = layout::list_links(&*repository.state.store, &folder).map_err(Error::from);
        let links = links.try_filter_map(|link| {
            let digest = layout::digest_of_link(&link.key, &folder);
            ready(Ok(digest.map(|digest| (digest, link.modified))))
        });
        let reads = links.map_ok(|(digest, linked)| async move {
            let content = repository.state.read(&layout::blob(&digest)).await?;
            Ok((digest, linked, content))
        });
        let mut manifests = pin!(reads.try_buffer_unordered(CONCURRENCY));
        let (mut graph, mut kept) = (Graph::default(), Vec::new());
        while let Some((digest, linked, content)) = manifests.try_next().await? {
            let Some((content, bytes)) = content else {
                tracing::warn!(name = %repository.name, %digest, "the content of a manifest is missing");
                continue;
            };
            let manifest = graph.insert(&mut self.digests, &digest, &References::read(&bytes));
            if self.is_young(linked) || self.is_young(content.modified) {
                kept.push(manifest);
            }
        }
        kept.extend(self.read_trash(repository, &mut graph).await?);
        Ok((graph, kept))
    }

    /// Adds the manifests of the trash to the graph, and returns them.
    async fn read_trash(&mut self, repository: &Repository, graph: &mut Graph) -> Result<Vec<Number>> {
        let trash = repository.trash();
        let (mut roots, mut seen, mut trashed) = (pin!(trash.roots()), NumberSet::default(), Vec::new());
        while let Some(digest) = roots.try_next().await? {
            if !seen.insert(self.digests.number(&digest)) {
                continue;
            }
            if let Some((_, bytes)) = repository.state.read(&layout::blob(&digest)).await? {
                trashed.push(graph.insert(&mut self.digests, &digest, &References::read(&bytes)));
            }
        }
        self.collector.report.update(|run| run.trashed += seen.len() as u64);
        Ok(trashed)
    }

    /// The manifests that a tag points at.
    async fn tagged(&mut self, repository: &Repository) -> Result<Vec<Number>> {
        let names = repository.state.store.children(&layout::tags(&repository.name), None);
        let tags = names.map_err(Error::from).try_filter_map(|name| ready(Ok(name.parse::<Tag>().ok())));
        let tagged = tags.map_ok(|tag| async move { repository.tags().resolve(&tag).await });
        let (mut tagged, mut manifests) = (pin!(tagged.try_buffer_unordered(CONCURRENCY)), Vec::new());
        while let Some(digest) = tagged.try_next().await? {
            manifests.extend(digest.map(|digest| self.digests.number(&digest)));
        }
        Ok(manifests)
    }

    async fn mark_manifests(&mut self, repository: &Repository, graph: &Graph) -> Result<()> {
        let mut among_blobs = Vec::new();
        for node in graph.nodes() {
            for needed in graph.blobs(node).iter().chain([&node.manifest]) {
                self.spare_number(*needed);
            }
            among_blobs
                .extend(graph.manifests(node).iter().filter(|manifest| graph.get(**manifest).is_none()));
        }
        among_blobs.sort_unstable();
        among_blobs.dedup();
        for manifest in among_blobs {
            let digest = self.digests.digest(manifest);
            self.mark_manifest_among_blobs(repository, &digest).await?;
        }
        Ok(())
    }

    /// Marks what a manifest needs that an index lists and that was pushed as a blob, as Distribution before
    /// 2.1 kept it. What else is found so, such as the layers that build caches list in an index, is no
    /// document.
    async fn mark_manifest_among_blobs(&mut self, repository: &Repository, digest: &Digest) -> Result<()> {
        let key = layout::blob(digest);
        if repository.state.head(&key).await?.is_none_or(|meta| meta.size > LARGEST_MANIFEST) {
            return Ok(());
        }
        let content = repository.state.read(&key).await?.filter(|(_, bytes)| bytes.starts_with(b"{"));
        let references = content.map(|(_, bytes)| References::read(&bytes)).unwrap_or_default();
        for blob in &references.blobs {
            self.spare(blob);
        }
        Ok(())
    }

    /// Marks the blobs that came into the repository a short time ago: their manifest may be on its way.
    async fn mark_layers(&mut self, repository: &Repository) -> Result<()> {
        let folder = layout::layers(&repository.name);
        let store = repository.state.store.clone();
        let mut links = layout::list_links(&*store, &folder);
        while let Some(link) = links.try_next().await? {
            let Some(digest) = layout::digest_of_link(&link.key, &folder) else { continue };
            if self.is_young(link.modified) {
                self.spare(&digest);
            }
            if digest.algorithm() != Algorithm::Sha256 {
                // Distribution keeps such content by SHA-256, and only this link says under which digest.
                if let Some(target) =
                    repository.state.read_link(&link.key).await?.filter(|target| *target != digest)
                {
                    self.spare(&target);
                }
            }
        }
        Ok(())
    }
}
