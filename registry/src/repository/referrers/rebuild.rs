//! The index of referrers, compared with the manifests and made to fit them.
//!
//! It lacks what a server without such an index took in, and what an interrupted push left out. All of it
//! follows from the manifests.

use std::future::ready;

use berth_oci::{Digest, Manifest};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use serde::Serialize;

use super::{CONCURRENCY, Referrers};
use crate::repository::{Error, Result, layout};

/// A place where the index and the manifests differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// The manifest `referrer` has this subject, and the index does not say so.
    Missing {
        /// What is referred to.
        subject: Digest,
        /// What refers to it.
        referrer: Digest,
    },
    /// The index says that `referrer` has this subject. It has another one or none, or is gone.
    Stale {
        /// What is said to be referred to.
        subject: Digest,
        /// What is said to refer to it.
        referrer: Digest,
    },
}

/// How much of an index was mended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Rebuilt {
    /// Referrers that were added to the index.
    pub added: u64,
    /// Referrers that were taken out of the index.
    pub removed: u64,
}

impl Rebuilt {
    /// The same with one more difference mended.
    fn with(self, difference: Difference) -> Self {
        match difference {
            Difference::Missing { .. } => Self { added: self.added + 1, ..self },
            Difference::Stale { .. } => Self { removed: self.removed + 1, ..self },
        }
    }
}

impl std::ops::AddAssign for Rebuilt {
    fn add_assign(&mut self, other: Self) {
        self.added += other.added;
        self.removed += other.removed;
    }
}

impl Referrers<'_> {
    /// Where the index and the manifests differ. Memory stays constant whatever their number.
    pub fn differences(&self) -> BoxStream<'_, Result<Difference>> {
        self.missing().chain(self.stale()).boxed()
    }

    /// Makes the index fit the manifests, while pushes and deletions go on.
    pub async fn rebuild(&self) -> Result<Rebuilt> {
        self.0.check_writable()?;
        let mended = self.differences().try_filter_map(|difference| async move {
            Ok(self.mend(difference).await?.then_some(difference))
        });
        mended.try_fold(Rebuilt::default(), |rebuilt, difference| ready(Ok(rebuilt.with(difference)))).await
    }

    /// The referrers that the index lacks.
    fn missing(&self) -> impl Stream<Item = Result<Difference>> {
        let revisions = layout::revisions(&self.0.name);
        let links = self.0.state.store.list(&revisions, None).map_err(Error::from);
        let lookups = links.map_ok(move |link| {
            let digest = layout::digest_of_link(&link.key, &revisions);
            async move {
                let Some(referrer) = digest else { return Ok(None) };
                let Some(subject) = self.subject_of(&referrer).await? else { return Ok(None) };
                let is_listed = self.is_listed(&subject, &referrer).await?;
                Ok((!is_listed).then_some(Difference::Missing { subject, referrer }))
            }
        });
        lookups.try_buffered(CONCURRENCY).try_filter_map(|difference| async move { Ok(difference) })
    }

    /// The referrers that the index should not list.
    fn stale(&self) -> impl Stream<Item = Result<Difference>> {
        let index = layout::referrers_index(&self.0.name);
        let links = self.0.state.store.list(&index, None).map_err(Error::from);
        let lookups = links.map_ok(move |link| {
            let digests = layout::digests_of_referrer(&link.key, &self.0.name);
            async move {
                let Some((subject, referrer)) = digests else { return Ok(None) };
                let is_true = self.subject_of(&referrer).await? == Some(subject);
                Ok((!is_true).then_some(Difference::Stale { subject, referrer }))
            }
        });
        lookups.try_buffered(CONCURRENCY).try_filter_map(|difference| async move { Ok(difference) })
    }

    /// Mends one difference; `false` when it has vanished, because the manifest was pushed or deleted meanwhile.
    pub(in crate::repository) async fn mend(&self, difference: Difference) -> Result<bool> {
        let (Difference::Missing { referrer, .. } | Difference::Stale { referrer, .. }) = difference;
        let _nobody_pushes_or_deletes_it = self.0.state.liveness.condemn(&referrer).await;
        let actual = self.subject_of(&referrer).await?;
        match difference {
            Difference::Missing { subject, referrer } if actual == Some(subject) => {
                self.add(&subject, &referrer).await?;
            }
            Difference::Stale { subject, referrer } if actual != Some(subject) => {
                self.remove(&subject, &referrer).await?;
            }
            Difference::Missing { .. } | Difference::Stale { .. } => return Ok(false),
        }
        Ok(true)
    }

    /// The subject of a manifest that the repository has.
    async fn subject_of(&self, referrer: &Digest) -> Result<Option<Digest>> {
        let state = &self.0.state;
        if state.head(&layout::revision(&self.0.name, referrer)).await?.is_none() {
            return Ok(None);
        }
        let content = state.read(&layout::blob(referrer)).await?;
        let manifest = content.and_then(|(_, bytes)| Manifest::parse(&bytes, None).ok());
        Ok(manifest.and_then(|manifest| manifest.subject().map(|subject| subject.digest)))
    }

    async fn is_listed(&self, subject: &Digest, referrer: &Digest) -> Result<bool> {
        let link = layout::referrer(&self.0.name, subject, referrer);
        Ok(self.0.state.head(&link).await?.is_some())
    }
}
