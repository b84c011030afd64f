//! Tags with what people want to know of them at a glance.

use berth_oci::{Digest, Manifest, MediaType, Reference, Tag};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::{Timestamp, Unit};
use serde::Serialize;

use super::{Error, Listing, Page, Result, Tags, layout};

/// How many tags are looked into at once.
const CONCURRENCY: usize = 8;

/// A tag and what it points at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TagSummary {
    /// The name.
    pub tag: Tag,
    /// The manifest that it points at.
    pub digest: Digest,
    /// The kind of the manifest.
    pub media_type: MediaType,
    /// The kind of artifact, when the manifest says one.
    pub artifact_type: Option<String>,
    /// The length of the manifest and of everything that it leads to, in bytes.
    pub size: u64,
    /// When the tag was last pushed, in whole seconds.
    pub updated: Timestamp,
}

impl Tags<'_> {
    /// Summaries of the tags in lexical order. Tags that point at nothing are left out.
    ///
    /// [`Error::NameUnknown`] when the repository does not exist.
    pub async fn summaries(&self, page: &Page) -> Result<Listing<TagSummary>> {
        let tags = self.list(page).await?;
        let summaries = stream::iter(tags.items).map(|tag| async move { self.summary(&tag).await });
        let summaries = summaries.buffered(CONCURRENCY).try_filter_map(|summary| async { Ok(summary) });
        Ok(Listing { items: summaries.try_collect().await?, next: tags.next })
    }

    /// The summary of one tag; `None` when it points at nothing.
    pub async fn summary(&self, tag: &Tag) -> Result<Option<TagSummary>> {
        let Some(link) = self.0.state.head(&layout::tag_current(&self.0.name, tag)).await? else {
            return Ok(None);
        };
        let contents = match self.0.manifests().contents(&Reference::Tag(tag.clone())).await {
            Err(Error::ManifestUnknown(_)) => return Ok(None),
            contents => contents?,
        };
        let updated = Timestamp::try_from(link.modified).unwrap_or_default();
        let manifest = Manifest::parse(&contents.manifest.bytes, None).ok();
        Ok(Some(TagSummary {
            tag: tag.clone(),
            digest: contents.manifest.digest,
            size: contents.size(),
            artifact_type: manifest.and_then(|manifest| manifest.artifact_type().map(str::to_owned)),
            media_type: contents.manifest.media_type,
            updated: updated.round(Unit::Second).unwrap_or(updated),
        }))
    }
}
