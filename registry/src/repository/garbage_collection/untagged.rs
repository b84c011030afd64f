//! Manifests that no tag leads to: into quarantine with them, and out of the repository when they have rested.

use std::time::Instant;

use berth_oci::Digest;
use berth_storage::Key;
use futures::{StreamExt as _, stream};

use super::graph::Graph;
use super::look::Look;
use super::report::{Candidate, Reason};
use super::sweep::{CONCURRENCY, share};
use super::tag_history::TagHistory;
use crate::repository::digest_set::Number;
use crate::repository::quarantine::Announcement;
use crate::repository::{Repository, Result, layout};

impl Look<'_> {
    /// Takes those manifests out of the repository that have rested, puts the others into quarantine, and leaves those
    /// in the graph that somebody has come to rely on.
    pub(super) async fn part_with(
        &mut self,
        repository: &Repository,
        untagged: Vec<Number>,
        graph: &mut Graph,
    ) -> Result<()> {
        let (rested, fresh): (Vec<_>, Vec<_>) =
            untagged.into_iter().partition(|manifest| self.rested.contains(&self.digests.digest(*manifest)));
        self.delete_manifests(repository, &rested, graph).await?;
        for manifest in fresh {
            let Some(node) = graph.get(manifest).copied() else { continue };
            self.untagged.push(manifest);
            for needed in graph.keeps(&node).chain([manifest]) {
                self.needed_by_untagged.insert(needed);
            }
            graph.take_out(manifest);
            self.tell_of_untagged(repository, self.digests.digest(manifest), node.size);
        }
        Ok(())
    }

    fn tell_of_untagged(&self, repository: &Repository, digest: Digest, size: u64) {
        if self.collector.options.dry_run {
            let (reason, repository) = (Reason::Untagged, Some(repository.name.clone()));
            self.collector.report.update(|run| run.manifests_deleted += 1);
            self.collector.report.candidate(Candidate { digest, size, reason, repository });
        }
    }

    async fn delete_manifests(
        &self,
        repository: &Repository,
        rested: &[Number],
        graph: &mut Graph,
    ) -> Result<()> {
        let history = TagHistory::read(repository, &self.digests, rested).await?;
        let mut left = rested;
        while !left.is_empty() {
            let (batch, rest) = left.split_at(self.pace.batch().min(left.len()));
            let departing = Departing { look: self, repository, graph, history: &history };
            for deleted in departing.delete(batch).await? {
                graph.take_out(deleted);
            }
            left = rest;
        }
        Ok(())
    }
}

/// Manifests that are taken out of a repository.
#[derive(Clone, Copy)]
struct Departing<'a> {
    look: &'a Look<'a>,
    repository: &'a Repository,
    graph: &'a Graph,
    history: &'a TagHistory,
}

impl Departing<'_> {
    /// Deletes a batch of them, and tells which are gone.
    async fn delete(self, batch: &[Number]) -> Result<Vec<Number>> {
        let (look, start) = (self.look, Instant::now());
        look.collector.tell_progress().await?;
        let digests = batch.iter().map(|manifest| self.digest(*manifest)).collect();
        let announced = look.collector.state.quarantine.announce(&look.rested, digests).await?;
        let shares = batch.chunks(share(batch.len()));
        let deletions: Vec<_> = shares.map(|share| self.delete_share(share, &announced)).collect();
        // All of them end before the announcement is taken back, whatever becomes of one.
        let ended: Vec<Result<_>> = stream::iter(deletions).buffer_unordered(CONCURRENCY).collect().await;
        announced.withdraw().await?;
        look.pace.note(batch.len(), start.elapsed());
        let gone: Result<Vec<_>> = ended.into_iter().collect();
        Ok(gone?.concat())
    }

    /// Deletes a share of a batch, a few at a time.
    async fn delete_share(self, share: &[Number], announced: &Announcement) -> Result<Vec<Number>> {
        let mut deleted = Vec::new();
        for few in share.chunks(self.repository.state.store.deletes_at_once()) {
            let mut prepared = Vec::new();
            for manifest in few {
                if self.prepare(*manifest, announced).await? {
                    prepared.push(*manifest);
                }
            }
            let revisions = prepared.iter().map(|manifest| self.revision(*manifest)).collect();
            let count = announced.delete_each(revisions).await?;
            prepared.truncate(count);
            for manifest in prepared {
                self.conclude(manifest).await?;
                deleted.push(manifest);
            }
        }
        Ok(deleted)
    }

    fn revision(self, manifest: Number) -> Key {
        layout::revision(&self.repository.name, &self.digest(manifest))
    }

    fn digest(self, manifest: Number) -> Digest {
        self.look.digests.digest(manifest)
    }

    /// Removes what leads to the manifest; `false` when that is young after all, or somebody relies on it.
    async fn prepare(self, manifest: Number, announced: &Announcement) -> Result<bool> {
        let (state, name) = (&self.repository.state, &self.repository.name);
        let digest = self.digest(manifest);
        for key in [&self.revision(manifest), &layout::blob(&digest)] {
            if state.head(key).await?.is_some_and(|meta| self.look.is_young(meta.modified)) {
                return Ok(false);
            }
        }
        if !announced.condemns(&digest) {
            return Ok(false);
        }
        for tag in self.history.tags(manifest) {
            state.store.delete(&layout::tag_history_entry(name, tag, &digest)).await?;
        }
        if let Some(subject) = self.graph.get(manifest).and_then(|node| node.subject) {
            self.repository.referrers().remove(&self.digest(subject), &digest).await?;
        }
        Ok(true)
    }

    /// Removes what is left of a manifest that is gone.
    async fn conclude(self, manifest: Number) -> Result<()> {
        let digest = self.digest(manifest);
        self.repository.manifests().forget_media_type(&digest).await?;
        self.look.collector.report.update(|run| run.manifests_deleted += 1);
        tracing::info!(name = %self.repository.name, %digest, "deleted an untagged manifest");
        Ok(())
    }
}
