//! Marking: what each repository needs, and which of its untagged manifests may go.

use std::collections::{HashMap, HashSet};

use berth_oci::{Algorithm, Digest};
use berth_storage::Key;
use futures::TryStreamExt as _;

use super::collector::Collector;
use super::graph::{Graph, Node, reachable};
use crate::repository::{Repository, Result, layout};

/// Content up to this size may be a manifest that was pushed as a blob.
const LARGEST_MANIFEST: u64 = 4 * 1024 * 1024;

impl Collector {
    /// Marks what the repository needs, after deleting its untagged manifests if that is wanted.
    pub(super) async fn mark_repository(&mut self, repository: &Repository) -> Result<()> {
        let (mut graph, kept) = self.read_manifests(repository).await?;
        if self.options.delete_untagged {
            let roots = self.tagged(repository).await?.into_iter().chain(kept);
            let kept = reachable(&graph, roots);
            let untagged = graph.keys().filter(|digest| !kept.contains(*digest)).copied().collect();
            self.delete_untagged(repository, untagged, &mut graph).await?;
        }
        self.mark_manifests(&graph).await?;
        self.mark_layers(repository).await
    }

    /// The manifests of the repository and of its trash, and those among them that are kept without a tag: the young ones
    /// and those of the trash.
    async fn read_manifests(&self, repository: &Repository) -> Result<(Graph, HashSet<Digest>)> {
        let (mut graph, mut kept) = (Graph::new(), HashSet::new());
        let folder = layout::revisions(&repository.name);
        let mut links = self.state.store.list(&folder, None);
        while let Some(link) = links.try_next().await? {
            let Some(digest) = layout::digest_of_link(&link.key, &folder) else { continue };
            let Some((content, bytes)) = self.state.read(&layout::blob(&digest)).await? else {
                tracing::warn!(name = %repository.name, %digest, "the content of a manifest is missing");
                continue;
            };
            if self.is_young(link.modified) || self.is_young(content.modified) {
                kept.insert(digest);
            }
            graph.insert(digest, Node::read(&bytes));
        }
        for digest in repository.trash().roots().await? {
            if let Some((_, bytes)) = self.state.read(&layout::blob(&digest)).await? {
                graph.insert(digest, Node::read(&bytes));
                kept.insert(digest);
            }
        }
        Ok((graph, kept))
    }

    /// The manifests that a tag points at.
    async fn tagged(&self, repository: &Repository) -> Result<HashSet<Digest>> {
        let mut tagged = HashSet::new();
        let mut names = self.state.store.children(&layout::tags(&repository.name), None);
        while let Some(name) = names.try_next().await? {
            let Ok(tag) = name.parse() else { continue };
            tagged.extend(repository.tags().resolve(&tag).await?);
        }
        Ok(tagged)
    }

    /// Takes the manifests out of the repository and its graph, except those that somebody has come to rely on.
    async fn delete_untagged(
        &self,
        repository: &Repository,
        untagged: HashSet<Digest>,
        graph: &mut Graph,
    ) -> Result<()> {
        let history = self.tag_history(repository, &untagged).await?;
        for digest in untagged {
            let subject = graph.get(&digest).and_then(|node| node.subject);
            let remembered = history.get(&digest).map(Vec::as_slice).unwrap_or_default();
            if self.delete_manifest(repository, &digest, subject, remembered).await? {
                graph.remove(&digest);
            }
        }
        Ok(())
    }

    /// The links by which tags remember that they once pointed at one of these manifests.
    async fn tag_history(
        &self,
        repository: &Repository,
        of: &HashSet<Digest>,
    ) -> Result<HashMap<Digest, Vec<Key>>> {
        let mut history: HashMap<Digest, Vec<Key>> = HashMap::new();
        if of.is_empty() {
            return Ok(history);
        }
        let mut links = self.state.store.list(&layout::tags(&repository.name), None);
        while let Some(link) = links.try_next().await? {
            let digest = layout::digest_of_tag_history(&link.key, &repository.name);
            if let Some(digest) = digest.filter(|digest| of.contains(digest)) {
                history.entry(digest).or_default().push(link.key);
            }
        }
        Ok(history)
    }

    /// Takes a manifest out of the repository; `false` when somebody has come to rely on it meanwhile.
    async fn delete_manifest(
        &self,
        repository: &Repository,
        digest: &Digest,
        subject: Option<Digest>,
        remembered: &[Key],
    ) -> Result<bool> {
        let revision = layout::revision(&repository.name, digest);
        let _condemned = self.state.liveness.condemn(digest).await;
        for key in [&revision, &layout::blob(digest)] {
            if self.state.head(key).await?.is_some_and(|meta| self.is_young(meta.modified)) {
                return Ok(false);
            }
        }
        self.report.manifest();
        if self.options.dry_run {
            return Ok(true);
        }
        for link in remembered {
            self.state.store.delete(link).await?;
        }
        if let Some(subject) = subject {
            repository.referrers().remove(&subject, digest).await?;
        }
        self.state.store.delete(&revision).await?;
        repository.manifests().forget_media_type(digest).await?;
        tracing::info!(name = %repository.name, %digest, "deleted an untagged manifest");
        Ok(true)
    }

    async fn mark_manifests(&mut self, graph: &Graph) -> Result<()> {
        for (digest, node) in graph {
            self.live.insert(digest);
            for blob in &node.blobs {
                self.live.insert(blob);
            }
            for manifest in node.manifests.iter().filter(|manifest| !graph.contains_key(*manifest)) {
                self.mark_manifest_among_blobs(manifest).await?;
            }
        }
        Ok(())
    }

    /// Marks what a manifest needs that an index lists and that was pushed as a blob, as Distribution before
    /// 2.1 kept it. What else is found so, such as the layers that build caches list in an index, is no
    /// document.
    async fn mark_manifest_among_blobs(&mut self, digest: &Digest) -> Result<()> {
        let key = layout::blob(digest);
        if self.state.head(&key).await?.is_none_or(|meta| meta.size > LARGEST_MANIFEST) {
            return Ok(());
        }
        let content = self.state.read(&key).await?.filter(|(_, bytes)| bytes.starts_with(b"{"));
        let node = content.map(|(_, bytes)| Node::read(&bytes)).unwrap_or_default();
        for blob in &node.blobs {
            self.live.insert(blob);
        }
        Ok(())
    }

    /// Marks the blobs that came into the repository a short time ago: their manifest may be on its way.
    async fn mark_layers(&mut self, repository: &Repository) -> Result<()> {
        let folder = layout::layers(&repository.name);
        let store = self.state.store.clone();
        let mut links = store.list(&folder, None);
        while let Some(link) = links.try_next().await? {
            let Some(digest) = layout::digest_of_link(&link.key, &folder) else { continue };
            if self.is_young(link.modified) {
                self.live.insert(&digest);
            }
            if digest.algorithm() != Algorithm::Sha256 {
                // Distribution keeps such content by SHA-256, and only this link says under which digest.
                if let Some(target) =
                    self.state.read_link(&link.key).await?.filter(|target| *target != digest)
                {
                    self.live.insert(&target);
                }
            }
        }
        Ok(())
    }
}
