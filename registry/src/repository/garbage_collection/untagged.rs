//! Manifests that no tag leads to: into quarantine with them, and out of the repository when they have rested.

use berth_oci::{Digest, Tag};
use futures::{StreamExt as _, stream};

use super::graph::Graph;
use super::look::Look;
use super::report::{Candidate, Reason};
use super::sweep::{BATCH, CONCURRENCY};
use super::tag_history::TagHistory;
use crate::repository::digest_set::Number;
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
            untagged.into_iter().partition(|manifest| self.rested.contains(&graph.digest(*manifest)));
        self.delete_manifests(repository, &rested, graph).await?;
        for manifest in fresh {
            let Some(node) = graph.remove(manifest) else { continue };
            let digest = graph.digest(manifest);
            self.untagged.insert(&digest);
            for needed in node.keeps().chain([manifest]) {
                self.needed_by_untagged.insert(&graph.digest(needed));
            }
            self.tell_of_untagged(repository, digest, node.size);
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
        let history = TagHistory::read(repository, graph, rested).await?;
        for batch in rested.chunks(BATCH) {
            self.collector.tell_progress().await?;
            let quarantine = &self.collector.state.quarantine;
            let digests = batch.iter().map(|manifest| graph.digest(*manifest));
            let announced = quarantine.announce(&self.rested, digests).await?;
            let announcement = &announced;
            let deletions = batch.iter().map(|manifest| {
                let (digest, subject) = (graph.digest(*manifest), graph.subject(*manifest));
                let tags = history.tags(*manifest);
                async move {
                    let is_condemned = announcement.condemns(&digest, self.collector.state.clock.now());
                    let is_deleted =
                        is_condemned && self.delete_manifest(repository, &digest, subject, tags).await?;
                    Ok(is_deleted.then_some(*manifest))
                }
            });
            // All of them end before the announcement is taken back, whatever becomes of one.
            let deletions: Vec<_> = deletions.collect();
            let ended: Vec<Result<_>> = stream::iter(deletions).buffer_unordered(CONCURRENCY).collect().await;
            announced.withdraw().await?;
            for deleted in ended {
                deleted?.map(|manifest| graph.remove(manifest));
            }
        }
        Ok(())
    }

    /// Takes a manifest out of the repository; `false` when it is young after all.
    async fn delete_manifest(
        &self,
        repository: &Repository,
        digest: &Digest,
        subject: Option<Digest>,
        remembered_by: impl Iterator<Item = &Tag>,
    ) -> Result<bool> {
        let state = &repository.state;
        let revision = layout::revision(&repository.name, digest);
        for key in [&revision, &layout::blob(digest)] {
            if state.head(key).await?.is_some_and(|meta| self.is_young(meta.modified)) {
                return Ok(false);
            }
        }
        for tag in remembered_by {
            state.store.delete(&layout::tag_history_entry(&repository.name, tag, digest)).await?;
        }
        if let Some(subject) = subject {
            repository.referrers().remove(&subject, digest).await?;
        }
        state.store.delete(&revision).await?;
        repository.manifests().forget_media_type(digest).await?;
        self.collector.report.update(|run| run.manifests_deleted += 1);
        tracing::info!(name = %repository.name, %digest, "deleted an untagged manifest");
        Ok(true)
    }
}
