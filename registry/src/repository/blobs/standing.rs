//! That a repository still has a blob, known without waiting.
//!
//! Nothing else is needed to tell again of a blob what was told before. The storage says so by two witnesses: one of the link by
//! which the repository has the blob, and one of the content, which a repair may have set aside, or somebody's hand.

use std::sync::Arc;

use berth_oci::{ByteRange, Digest};
use berth_storage::{Key, Witness};

use super::{BlobContent, BlobInfo, Blobs, part};
use crate::repository::{
    Result, layout,
    state::{State, parse_link},
};

/// Knows whether a repository still has a blob.
#[derive(Debug)]
pub struct BlobStanding {
    state: Arc<State>,
    blob: BlobInfo,
    link: Box<dyn Witness>,
    content: Box<dyn Witness>,
}

impl BlobStanding {
    /// The blob.
    pub fn blob(&self) -> BlobInfo {
        self.blob
    }

    /// Whether the repository has it, for a client that will rely on its existence.
    pub fn can_be_relied_on(&self) -> bool {
        self.state.quarantine.is_known_to_lack(&self.blob.digest) && self.link.holds() && self.content.holds()
    }

    /// The blob, or the part of it that `range` names. `None` where that cannot be had at once: who asks the storage is told why.
    pub fn open(&self, range: Option<ByteRange>) -> Option<BlobContent> {
        let BlobInfo { digest, size } = self.blob;
        let range = range.map(|range| part(range, size)).transpose().ok()?;
        let bounds = range.as_ref().map_or(0..size, |range| *range.start()..*range.end() + 1);
        let body = self.link.holds().then(|| self.content.open(bounds))??;
        Some(BlobContent { digest, size, range, body })
    }
}

impl Blobs<'_> {
    /// The standing of a blob that was found just now. `None` where nobody can tell it, and for the rare blob whose content is
    /// kept under another digest.
    pub async fn standing(&self, digest: &Digest) -> Result<Option<BlobStanding>> {
        let (state, name) = (&self.0.state, &self.0.name);
        if !state.store.has_witnesses() {
            return Ok(None);
        }
        let mut link = self.witness_of_link(&layout::layer(name, digest), digest).await?;
        if link.is_none() {
            link = self.witness_of_link(&layout::revision(name, digest), digest).await?;
        }
        let (Some(link), Some(meta)) = (link, state.head(&layout::blob(digest)).await?) else {
            return Ok(None);
        };
        let blob = BlobInfo { digest: *digest, size: meta.size };
        let standing = |content| BlobStanding { state: Arc::clone(state), blob, link, content };
        Ok(state.store.witness(&meta).map(standing))
    }

    async fn witness_of_link(&self, link: &Key, digest: &Digest) -> Result<Option<Box<dyn Witness>>> {
        let Some((meta, content)) = self.0.state.read(link).await? else { return Ok(None) };
        let leads_there = parse_link(link, &content) == Some(*digest);
        Ok(leads_there.then(|| self.0.state.store.witness(&meta)).flatten())
    }
}
