//! Tags: names of manifests that may be moved.

use std::future::ready;

use berth_oci::{Digest, Tag};
use futures::{Stream, TryStreamExt as _};

use super::{Error, Listing, Page, Repository, Result, layout};

/// How many tags are looked up at once.
const CONCURRENCY: usize = 16;

/// The tags of a repository.
#[derive(Debug)]
pub struct Tags<'a>(pub(super) &'a Repository);

impl Tags<'_> {
    /// The tags in lexical order. [`Error::NameUnknown`] when the repository does not exist.
    pub async fn list(&self, page: &Page) -> Result<Listing<Tag>> {
        let manifests = layout::manifests(&self.0.name);
        if self.0.state.store.children(&manifests, None).try_next().await?.is_none() {
            return Err(Error::NameUnknown(self.0.name.clone()));
        }
        Listing::of(self.after(page.last.as_deref()), page.limit).await
    }

    /// The tags that come after `last`, leaving out those that an interrupted push or deletion left without a
    /// target.
    fn after(&self, last: Option<&str>) -> impl Stream<Item = Result<Tag>> {
        let names = self.0.state.store.children(&layout::tags(&self.0.name), last).map_err(Error::from);
        let tags = names.try_filter_map(|name| ready(Ok(name.parse::<Tag>().ok())));
        let repository = self.0;
        let lookups = tags.map_ok(move |tag| async move {
            let target = repository.state.head(&layout::tag_current(&repository.name, &tag)).await?;
            Ok(target.map(|_| tag))
        });
        lookups.try_buffered(CONCURRENCY).try_filter_map(|tag| ready(Ok(tag)))
    }

    /// What the tag points at.
    pub(super) async fn resolve(&self, tag: &Tag) -> Result<Option<Digest>> {
        self.0.state.read_link(&layout::tag_current(&self.0.name, tag)).await
    }

    /// Makes the tag point at `digest`, whose manifest is there already.
    pub(super) async fn point(&self, tag: &Tag, digest: &Digest) -> Result<()> {
        self.0.state.write_link(&layout::tag_history_entry(&self.0.name, tag, digest), digest).await?;
        self.0.state.write_link(&layout::tag_current(&self.0.name, tag), digest).await
    }

    /// Removes the tag; `false` when there is none.
    pub(super) async fn delete(&self, tag: &Tag) -> Result<bool> {
        let current = layout::tag_current(&self.0.name, tag);
        let exists = self.0.state.head(&current).await?.is_some();
        self.0.state.store.delete(&current).await?;
        self.0.state.delete_below(&layout::tag(&self.0.name, tag)).await?;
        Ok(exists)
    }

    /// Removes the tags that point at `digest`, and what others remember of it.
    pub(super) async fn forget(&self, digest: &Digest) -> Result<()> {
        let tags = self.after(None).map_ok(|tag| async move { self.forget_in(&tag, digest).await });
        tags.try_buffer_unordered(CONCURRENCY).try_collect().await
    }

    async fn forget_in(&self, tag: &Tag, digest: &Digest) -> Result<()> {
        if self.resolve(tag).await? == Some(*digest) {
            self.delete(tag).await?;
            return Ok(());
        }
        Ok(self.0.state.store.delete(&layout::tag_history_entry(&self.0.name, tag, digest)).await?)
    }
}
