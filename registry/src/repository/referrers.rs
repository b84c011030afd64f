//! Referrers: manifests that name another one as their subject, such as signatures and attestations.
//!
//! The index of referrers is ours, and additive: Distribution ignores it, and it can be rebuilt from the
//! manifests. What clients keep under a fallback tag, because the registry that they pushed to had no such
//! index, is merged in.

mod rebuild;

use std::collections::BTreeSet;
use std::future::ready;
use std::pin::pin;

use berth_oci::{Descriptor, Digest, Manifest, Reference, Tag};
use berth_storage::{Key, Wanted};
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};

pub use self::rebuild::{Difference, Rebuilt};
use super::{Error, Listing, Page, Repository, Result, layout};

/// How many referrers are read at once.
const CONCURRENCY: usize = 8;

/// The bytes of an index besides its descriptors, amply.
const FRAME: u64 = 256;

/// What refers to the manifests of a repository.
#[derive(Debug)]
pub struct Referrers<'a>(pub(super) &'a Repository);

impl Referrers<'_> {
    /// Descriptors of the manifests whose subject is `subject`, ordered by digest; those of one artifact type
    /// when it is given.
    ///
    /// An index of them is no larger than a manifest may be: a page may end before it has as many as were
    /// asked for.
    pub async fn list(
        &self,
        subject: &Digest,
        artifact_type: Option<&str>,
        page: &Page,
    ) -> Result<Listing<Descriptor>> {
        let mut digests = self.indexed(subject).await?;
        digests.extend(self.under_fallback_tag(subject).await?);
        let last = page.last.as_deref().unwrap_or_default();
        let ahead = digests.into_iter().filter(|digest| digest.to_string().as_str() > last);
        let descriptors = stream::iter(ahead).map(|digest| async move { self.describe(&digest).await });
        let descriptors =
            descriptors.buffered(CONCURRENCY).try_filter_map(|descriptor| ready(Ok(descriptor)));
        let is_wanted = |descriptor: &Descriptor| {
            artifact_type.is_none_or(|wanted| descriptor.artifact_type.as_deref() == Some(wanted))
        };
        let wanted = descriptors.try_filter(|descriptor| ready(is_wanted(descriptor)));
        page_of(wanted, page.limit, self.0.rules.max_manifest_size).await
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
        if let Some(digests) = self.indexed_at_once(&folder).await? {
            return Ok(digests);
        }
        let links = self.0.state.store.list(&folder, None).map_err(Error::from);
        let digests = links.try_filter_map(|meta| ready(Ok(layout::digest_of_link(&meta.key, &folder))));
        digests.try_collect().await
    }

    /// The same from a storage that tells names at once, for which a link is one look then instead of a walk to it.
    async fn indexed_at_once(&self, folder: &Key) -> Result<Option<BTreeSet<Digest>>> {
        let store = &self.0.state.store;
        let Some(algorithms) = store.names(folder, Wanted::default()).await? else { return Ok(None) };
        let mut digests = BTreeSet::new();
        for algorithm in algorithms.iter() {
            let linked = Wanted { leading_to: Some(layout::LINK), ..Wanted::default() };
            let linked = store.names(&folder.join(algorithm), linked).await?.unwrap_or_default();
            digests
                .extend(linked.iter().filter_map(|hex| format!("{algorithm}:{hex}").parse::<Digest>().ok()));
        }
        Ok(Some(digests))
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

/// The first descriptors, at most `limit` of them, whose index has no more than `size_limit` bytes. One that
/// is larger alone stands alone.
async fn page_of(
    descriptors: impl Stream<Item = Result<Descriptor>>,
    limit: Option<usize>,
    size_limit: u64,
) -> Result<Listing<Descriptor>> {
    let mut descriptors = pin!(descriptors);
    let mut items: Vec<Descriptor> = Vec::new();
    if limit == Some(0) {
        return Ok(Listing { items, next: None });
    }
    let mut size = FRAME;
    while let Some(descriptor) = descriptors.try_next().await? {
        size += serde_json::to_vec(&descriptor).map_or(0, |text| text.len() as u64 + 1);
        let is_full = limit == Some(items.len()) || size > size_limit;
        if let Some(last) = items.last().filter(|_| is_full) {
            return Ok(Listing { next: Some(last.digest.to_string()), items });
        }
        items.push(descriptor);
    }
    Ok(Listing { items, next: None })
}

/// The tag has no more than the first 64 digits of a digest.
fn fallback_tag(subject: &Digest) -> String {
    let hex = subject.hex();
    format!("{}-{}", subject.algorithm(), &hex[..hex.len().min(64)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fallback_tag_has_the_first_64_digits() {
        let table = [
            (Digest::sha256([0xab; 32]), format!("sha256-{}", "ab".repeat(32))),
            (Digest::sha512([0xab; 64]), format!("sha512-{}", "ab".repeat(32))),
        ];
        for (subject, tag) in table {
            assert_eq!(fallback_tag(&subject), tag);
        }
    }
}
