//! Referrers: manifests that name another one as their subject, such as signatures and attestations.
//!
//! The index of referrers is ours, and additive: Distribution ignores it. What clients keep under a fallback
//! tag, because the registry that they pushed to had no such index, is merged in.

use std::collections::BTreeSet;
use std::future::ready;

use berth_oci::{Descriptor, Digest, Manifest, Reference, Tag};
use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::{Error, Repository, Result, layout};

/// How many referrers are read at once.
const CONCURRENCY: usize = 8;

/// What refers to the manifests of a repository.
#[derive(Debug)]
pub struct Referrers<'a>(pub(super) &'a Repository);

impl Referrers<'_> {
    /// Descriptors of the manifests whose subject is `subject`, ordered by digest; those of one artifact type
    /// when it is given.
    pub async fn list(&self, subject: &Digest, artifact_type: Option<&str>) -> Result<Vec<Descriptor>> {
        let mut digests = self.indexed(subject).await?;
        digests.extend(self.under_fallback_tag(subject).await?);
        let descriptors = stream::iter(digests).map(|digest| async move { self.describe(&digest).await });
        let descriptors =
            descriptors.buffered(CONCURRENCY).try_filter_map(|descriptor| ready(Ok(descriptor)));
        let is_wanted = |descriptor: &Descriptor| {
            artifact_type.is_none_or(|wanted| descriptor.artifact_type.as_deref() == Some(wanted))
        };
        descriptors.try_filter(|descriptor| ready(is_wanted(descriptor))).try_collect().await
    }

    /// Remembers that `digest` has the subject `subject`.
    pub(super) async fn add(&self, subject: &Digest, digest: &Digest) -> Result<()> {
        self.0.state.write_link(&layout::referrer(&self.0.name, subject, digest), digest).await
    }

    /// Forgets that `digest` has the subject `subject`.
    pub(super) async fn remove(&self, subject: &Digest, digest: &Digest) -> Result<()> {
        Ok(self.0.state.store.delete(&layout::referrer(&self.0.name, subject, digest)).await?)
    }

    async fn indexed(&self, subject: &Digest) -> Result<BTreeSet<Digest>> {
        let folder = layout::referrers(&self.0.name, subject);
        let links = self.0.state.store.list(&folder, None).map_err(Error::from);
        let digests = links.try_filter_map(|meta| ready(Ok(layout::digest_of_link(&meta.key, &folder))));
        digests.try_collect().await
    }

    /// What the index under the tag `<algorithm>-<hex>` lists (distribution specification, "Referrers Tag
    /// Schema").
    async fn under_fallback_tag(&self, subject: &Digest) -> Result<Vec<Digest>> {
        let Ok(tag) = fallback_tag(subject).parse::<Tag>() else { return Ok(Vec::new()) };
        let index = match self.0.manifests().get(&Reference::Tag(tag)).await {
            Err(Error::ManifestUnknown(_)) => return Ok(Vec::new()),
            index => index?,
        };
        let manifests = Manifest::parse(&index.bytes, None).map(|index| index.manifests().to_vec());
        Ok(manifests.unwrap_or_default().iter().map(|descriptor| descriptor.digest).collect())
    }

    /// The descriptor of a referrer; `None` when it has gone.
    async fn describe(&self, digest: &Digest) -> Result<Option<Descriptor>> {
        let stored = match self.0.manifests().get(&Reference::Digest(*digest)).await {
            Err(Error::ManifestUnknown(_)) => return Ok(None),
            stored => stored?,
        };
        let Ok(manifest) = Manifest::parse(&stored.bytes, None) else { return Ok(None) };
        Ok(Some(Descriptor {
            media_type: stored.media_type,
            digest: *digest,
            size: stored.bytes.len() as u64,
            urls: None,
            artifact_type: manifest.artifact_type().map(str::to_owned),
            annotations: manifest.annotations().cloned(),
            platform: None,
        }))
    }
}

/// A tag has at most 128 characters, so the digits of a long digest are cut.
fn fallback_tag(subject: &Digest) -> String {
    let mut tag = format!("{}-{}", subject.algorithm(), subject.hex());
    tag.truncate(128);
    tag
}
