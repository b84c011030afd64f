//! The consistency check: what is damaged, missing or left over in a storage, and how it is repaired.
//!
//! First all content is hashed, then the links, tags, manifests and uploads of each repository are followed.
//! Memory does not grow with the storage, but with what is damaged. It may run beside servers: see `links` for
//! why what they do meanwhile is not taken for damage, and `repair` for what a repair may do to it.

mod content;
mod links;
mod parts;
mod problem;
mod repair;
mod set_aside;

use std::pin::{Pin, pin};
use std::time::Duration;

use berth_oci::{Digest, RepositoryName};
use futures::{Stream, TryStreamExt as _, stream};
use serde::Serialize;

pub use self::problem::{Finding, Problem};
pub use self::set_aside::SetAside;
use super::digest_set::DigestSet;
use super::linked_content::linked_content;
use super::{Error, Registry, Repository, Result, catalog, layout, uploads};

/// How many links are followed at once.
const CONCURRENCY: usize = 8;

/// What to check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckOptions {
    /// The one repository to check, with the content that it has links to; all, when there is none.
    pub repository: Option<RepositoryName>,
    /// Whether to read all content and compare it with its digest.
    pub read_content: bool,
    /// Uploads to which nothing was added for this long count as left over.
    pub minimum_upload_age: Duration,
    /// Whether to repair what can be repaired without losing an image.
    pub repair: bool,
    /// Whether to delete, after all, what earlier repairs have set aside.
    pub discard_damaged: bool,
}

/// What a check tells while it goes on.
#[derive(Debug, Clone, Copy)]
pub enum CheckProgress<'a> {
    /// So much was checked by now.
    Checked(&'a CheckSummary),
    /// Something is, or was, wrong.
    Found(&'a Finding),
    /// A repair has set this aside, now or earlier.
    SetAside(&'a SetAside),
}

/// How much was checked, and how much of it was wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct CheckSummary {
    /// How many blobs and manifests were read.
    pub blobs: u64,
    /// Their length.
    pub bytes: u64,
    /// How many repositories were followed.
    pub repositories: u64,
    /// How many problems were found.
    pub problems: u64,
    /// How many of them were repaired.
    pub repaired: u64,
    /// How much damaged content is set aside.
    pub set_aside: u64,
}

impl Registry {
    /// Checks the storage, and tells `progress` what it finds.
    ///
    /// [`Error::NameUnknown`] when the one repository does not exist.
    pub async fn check_consistency(
        &self,
        options: &CheckOptions,
        progress: &mut (dyn FnMut(CheckProgress<'_>) + Send),
    ) -> Result<CheckSummary> {
        Check { registry: self, options, progress, summary: CheckSummary::default() }.run().await
    }
}

struct Check<'a> {
    registry: &'a Registry,
    options: &'a CheckOptions,
    progress: &'a mut (dyn FnMut(CheckProgress<'_>) + Send),
    summary: CheckSummary,
}

impl Check<'_> {
    async fn run(mut self) -> Result<CheckSummary> {
        match &self.options.repository {
            Some(name) => self.check_one(&self.registry.repository(name.clone())).await?,
            None => self.check_all().await?,
        }
        Ok(self.summary)
    }

    async fn check_all(&mut self) -> Result<()> {
        let registry = self.registry;
        let blobs = registry.state.store.list(&layout::blobs(), None).map_err(Error::from);
        let digests = blobs.try_filter_map(|blob| async move { Ok(layout::digest_of_blob(&blob.key)) });
        let damaged = self.check_content(pin!(digests)).await?;
        let mut repositories = pin!(catalog::repositories(&registry.state, None));
        while let Some(found) = repositories.try_next().await? {
            self.check_repository(&registry.repository(found.name), &damaged).await?;
        }
        self.look_at_what_is_set_aside().await
    }

    async fn look_at_what_is_set_aside(&mut self) -> Result<()> {
        let state = &self.registry.state;
        let mut aside = pin!(set_aside::list(state));
        while let Some(found) = aside.try_next().await? {
            self.summary.set_aside += 1;
            (self.progress)(CheckProgress::SetAside(&found));
        }
        if self.options.discard_damaged { set_aside::discard(state).await } else { Ok(()) }
    }

    async fn check_one(&mut self, repository: &Repository) -> Result<()> {
        self.require(repository).await?;
        let linked = linked_content(&repository.state, &repository.name).await?;
        let damaged = self.check_content(pin!(stream::iter(linked.into_iter().map(Ok)))).await?;
        self.check_repository(repository, &damaged).await
    }

    async fn require(&self, repository: &Repository) -> Result<()> {
        let folder = layout::repository(&repository.name);
        let children = self.registry.state.store.children(&folder, None);
        let exists = children.try_any(|child| async move { child.starts_with('_') }).await?;
        if exists { Ok(()) } else { Err(Error::NameUnknown(repository.name.clone())) }
    }

    /// Checks content, and returns what is damaged and still there.
    async fn check_content(
        &mut self,
        mut digests: Pin<&mut (impl Stream<Item = Result<Digest>> + Send)>,
    ) -> Result<DigestSet> {
        let mut damaged = DigestSet::default();
        while let Some(digest) = digests.try_next().await? {
            if !self.options.read_content {
                break;
            }
            let Some(verdict) = content::judge(&self.registry.state, &digest).await? else { continue };
            self.summary.blobs += 1;
            self.summary.bytes += verdict.bytes;
            (self.progress)(CheckProgress::Checked(&self.summary));
            if let Some(problem) = verdict.problem {
                let repaired = self.options.repair && repair::content(&self.registry.state, &problem).await?;
                if !repaired {
                    damaged.insert(&digest);
                }
                self.report(None, problem, repaired);
            }
        }
        Ok(damaged)
    }

    /// Manifests come after the links, so that they are compared with what a repair has left.
    async fn check_repository(&mut self, repository: &Repository, damaged: &DigestSet) -> Result<()> {
        self.repair_each(repository, pin!(links::of_blobs(repository))).await?;
        self.repair_each(repository, pin!(links::of_manifests(repository))).await?;
        self.repair_each(repository, pin!(links::of_tags(repository))).await?;
        let referrers = repository.referrers();
        self.repair_each(repository, pin!(referrers.differences().map_ok(Problem::from))).await?;
        self.check_parts(repository, damaged).await?;
        self.check_uploads(repository).await?;
        self.summary.repositories += 1;
        (self.progress)(CheckProgress::Checked(&self.summary));
        Ok(())
    }

    async fn repair_each(
        &mut self,
        repository: &Repository,
        mut problems: Pin<&mut (impl Stream<Item = Result<Problem>> + Send)>,
    ) -> Result<()> {
        while let Some(problem) = problems.try_next().await? {
            let repaired = self.options.repair && repair::in_repository(repository, &problem).await?;
            self.report(Some(repository), problem, repaired);
        }
        Ok(())
    }

    async fn check_parts(&mut self, repository: &Repository, damaged: &DigestSet) -> Result<()> {
        let mut missing = pin!(parts::missing(repository, damaged));
        while let Some(problem) = missing.try_next().await? {
            self.report(Some(repository), problem, false);
        }
        Ok(())
    }

    async fn check_uploads(&mut self, repository: &Repository) -> Result<()> {
        let age = self.options.minimum_upload_age;
        let abandoned = uploads::abandoned(&repository.state, &repository.name, age).await?;
        let problems = abandoned.into_iter().map(|upload| Ok(Problem::AbandonedUpload { upload }));
        self.repair_each(repository, pin!(stream::iter(problems))).await
    }

    fn report(&mut self, repository: Option<&Repository>, problem: Problem, repaired: bool) {
        self.summary.problems += 1;
        self.summary.repaired += u64::from(repaired);
        let repository = repository.map(|repository| repository.name.clone());
        (self.progress)(CheckProgress::Found(&Finding { repository, problem, repaired }));
    }
}
