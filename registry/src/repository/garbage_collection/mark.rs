//! Marking: what each repository needs, and which of its manifests no tag leads to.

use std::collections::HashSet;
use std::future::ready;
use std::pin::pin;

use berth_oci::{Algorithm, Digest, Tag};
use futures::TryStreamExt as _;

use super::graph::Graph;
use super::look::Look;
use super::references::References;
use crate::repository::digest_set::{DigestSet, Number};
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
        let tagged = if delete_untagged { self.tagged(repository).await? } else { DigestSet::default() };
        let (mut graph, kept) = self.read_manifests(repository).await?;
        if delete_untagged {
            let tagged = tagged.iter().filter_map(|digest| graph.find(&digest));
            let kept = graph.reachable(tagged.chain(kept));
            let untagged = graph.nodes().map(|(manifest, _)| manifest);
            let untagged = untagged.filter(|manifest| !kept.contains(manifest)).collect();
            self.part_with(repository, untagged, &mut graph).await?;
        }
        self.mark_manifests(repository, &graph).await?;
        self.mark_layers(repository).await
    }

    /// The manifests of the repository and of its trash, and those among them that are kept without a tag: the young ones
    /// and those of the trash.
    async fn read_manifests(&self, repository: &Repository) -> Result<(Graph, Vec<Number>)> {
        let folder = layout::revisions(&repository.name);
        let links = repository.state.store.list(&folder, None).map_err(Error::from);
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
            let manifest = graph.insert(&digest, &References::read(&bytes));
            if self.is_young(linked) || self.is_young(content.modified) {
                kept.push(manifest);
            }
        }
        let trashed: HashSet<_> = repository.trash().roots().await?.into_iter().collect();
        self.collector.report.update(|run| run.trashed += trashed.len() as u64);
        for digest in trashed {
            if let Some((_, bytes)) = repository.state.read(&layout::blob(&digest)).await? {
                kept.push(graph.insert(&digest, &References::read(&bytes)));
            }
        }
        Ok((graph, kept))
    }

    /// The manifests that a tag points at.
    async fn tagged(&self, repository: &Repository) -> Result<DigestSet> {
        let names = repository.state.store.children(&layout::tags(&repository.name), None);
        let tags = names.map_err(Error::from).try_filter_map(|name| ready(Ok(name.parse::<Tag>().ok())));
        let tagged = tags.map_ok(|tag| async move { repository.tags().resolve(&tag).await });
        let mut digests = DigestSet::default();
        let mut tagged = pin!(tagged.try_buffer_unordered(CONCURRENCY));
        while let Some(digest) = tagged.try_next().await? {
            digest.map(|digest| digests.insert(&digest));
        }
        Ok(digests)
    }

    async fn mark_manifests(&mut self, repository: &Repository, graph: &Graph) -> Result<()> {
        let mut among_blobs = HashSet::new();
        for (manifest, node) in graph.nodes() {
            for needed in node.blobs().iter().chain([&manifest]) {
                self.live.insert(&graph.digest(*needed));
            }
            among_blobs.extend(node.manifests().iter().filter(|manifest| !graph.contains(**manifest)));
        }
        for manifest in among_blobs {
            self.mark_manifest_among_blobs(repository, &graph.digest(manifest)).await?;
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
            self.live.insert(blob);
        }
        Ok(())
    }

    /// Marks the blobs that came into the repository a short time ago: their manifest may be on its way.
    async fn mark_layers(&mut self, repository: &Repository) -> Result<()> {
        let folder = layout::layers(&repository.name);
        let store = repository.state.store.clone();
        let mut links = store.list(&folder, None);
        while let Some(link) = links.try_next().await? {
            let Some(digest) = layout::digest_of_link(&link.key, &folder) else { continue };
            if self.is_young(link.modified) {
                self.live.insert(&digest);
            }
            if digest.algorithm() != Algorithm::Sha256 {
                // Distribution keeps such content by SHA-256, and only this link says under which digest.
                if let Some(target) =
                    repository.state.read_link(&link.key).await?.filter(|target| *target != digest)
                {
                    self.live.insert(&target);
                }
            }
        }
        Ok(())
    }
}
