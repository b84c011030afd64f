//! Manifests that no tag leads to: into quarantine with them, and out of the repository when they have rested.

use std::collections::{HashMap, HashSet};

use berth_oci::Digest;
use berth_storage::Key;
use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::graph::Graph;
use super::look::Look;
use super::report::{Candidate, Reason};
use super::sweep::{BATCH, CONCURRENCY};
use crate::repository::{Repository, Result, layout};

impl Look<'_> {
    /// Takes those manifests out of the repository that have rested, puts the others into quarantine, and leaves those
    /// in the graph that somebody has come to rely on.
    pub(super) async fn part_with(
        &mut self,
        repository: &Repository,
        untagged: Vec<Digest>,
        graph: &mut Graph,
    ) -> Result<()> {
        let (rested, fresh): (Vec<_>, Vec<_>) =
            untagged.into_iter().partition(|digest| self.rested.contains(digest));
        self.delete_manifests(repository, &rested, graph).await?;
        for digest in fresh {
            let Some(node) = graph.remove(&digest) else { continue };
            self.untagged.insert(&digest);
            for needed in node.keeps().chain([&digest]) {
                self.needed_by_untagged.insert(needed);
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
        rested: &[Digest],
        graph: &mut Graph,
    ) -> Result<()> {
        let mut history = self.tag_history(repository, rested).await?;
        for batch in rested.chunks(BATCH) {
            self.collector.tell_progress().await?;
            let quarantine = &self.collector.state.quarantine;
            let announced = quarantine.announce(&self.rested, batch.iter().copied()).await?;
            let announcement = &announced;
            let deletions = batch.iter().map(|digest| {
                let subject = graph.get(digest).and_then(|node| node.subject);
                let remembered = history.remove(digest).unwrap_or_default();
                async move {
                    let is_condemned = announcement.condemns(digest, self.collector.state.clock.now());
                    let is_deleted = is_condemned
                        && self.delete_manifest(repository, digest, subject, &remembered).await?;
                    Ok(is_deleted.then_some(*digest))
                }
            });
            // All of them end before the announcement is taken back, whatever becomes of one.
            let deletions: Vec<_> = deletions.collect();
            let ended: Vec<Result<_>> = stream::iter(deletions).buffer_unordered(CONCURRENCY).collect().await;
            announced.withdraw().await?;
            for deleted in ended {
                deleted?.map(|digest| graph.remove(&digest));
            }
        }
        Ok(())
    }

    /// The links by which tags remember that they once pointed at one of these manifests.
    async fn tag_history(&self, repository: &Repository, of: &[Digest]) -> Result<HashMap<Digest, Vec<Key>>> {
        let mut history: HashMap<Digest, Vec<Key>> = HashMap::new();
        if of.is_empty() {
            return Ok(history);
        }
        let of: HashSet<_> = of.iter().collect();
        let mut links = repository.state.store.list(&layout::tags(&repository.name), None);
        while let Some(link) = links.try_next().await? {
            let digest = layout::digest_of_tag_history(&link.key, &repository.name);
            if let Some(digest) = digest.filter(|digest| of.contains(digest)) {
                history.entry(digest).or_default().push(link.key);
            }
        }
        Ok(history)
    }

    /// Takes a manifest out of the repository; `false` when it is young after all.
    async fn delete_manifest(
        &self,
        repository: &Repository,
        digest: &Digest,
        subject: Option<Digest>,
        remembered: &[Key],
    ) -> Result<bool> {
        let state = &repository.state;
        let revision = layout::revision(&repository.name, digest);
        for key in [&revision, &layout::blob(digest)] {
            if state.head(key).await?.is_some_and(|meta| self.is_young(meta.modified)) {
                return Ok(false);
            }
        }
        for link in remembered {
            state.store.delete(link).await?;
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
