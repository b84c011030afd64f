//! Tags: names of manifests that may be moved.

use std::future::ready;

use berth_oci::{Digest, Reference, Tag};
use berth_storage::{Error as StorageError, Key, Names, Wanted};
use futures::{Stream, TryStreamExt as _};

use super::{Error, Listing, Page, Precondition, Repository, Result, layout};

/// How many tags are looked up at once.
const CONCURRENCY: usize = 16;

/// The tags of a repository.
#[derive(Debug)]
pub struct Tags<'a>(pub(super) &'a Repository);

/// The names of tags, in lexical order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagNames {
    /// The names, each of them a valid tag.
    pub names: Names,
    /// `last` of the following page, when there is one.
    pub next: Option<String>,
}

impl TagNames {
    /// The first `limit` of the names.
    fn of(names: &Names, limit: Option<usize>) -> Self {
        let page = names.slice(0..limit.unwrap_or(usize::MAX));
        let next = page.last().filter(|_| page.len() < names.len()).map(str::to_owned);
        Self { next, names: page }
    }
}

impl From<Listing<Tag>> for TagNames {
    fn from(Listing { items, next }: Listing<Tag>) -> Self {
        Self { names: items.iter().collect(), next }
    }
}

impl Tags<'_> {
    /// The tags in lexical order. [`Error::NameUnknown`] when the repository does not exist.
    pub async fn list(&self, page: &Page) -> Result<Listing<Tag>> {
        let TagNames { names, next } = self.names(page).await?;
        let items = names.iter().filter_map(|name| name.parse().ok()).collect();
        Ok(Listing { items, next })
    }

    /// The same tags as one text, which is all that most clients want of thousands of them.
    pub async fn names(&self, page: &Page) -> Result<TagNames> {
        let tags = match self.names_at_once(page).await? {
            Some(tags) => tags,
            None => Listing::of(self.after(page.last.as_deref()), page.limit).await?.into(),
        };
        if tags.names.is_empty() && !self.exist().await? {
            return Err(Error::NameUnknown(self.0.name.clone()));
        }
        Ok(tags)
    }

    /// The tags, if the storage can tell them so, and nothing is among them that no client could have pushed.
    async fn names_at_once(&self, page: &Page) -> Result<Option<TagNames>> {
        let at_most = page.limit.map(|limit| limit.saturating_add(1));
        let wanted = Wanted { after: page.last.as_deref(), at_most, leading_to: Some(layout::CURRENT_LINK) };
        let names = self.0.state.store.names(&layout::tags(&self.0.name), wanted).await?;
        let names = names.filter(|names| names.iter().all(Tag::is_valid));
        Ok(names.map(|names| TagNames::of(&names, page.limit)))
    }

    /// Whether the repository is there: it is for as long as it has manifests or blobs.
    async fn exist(&self) -> Result<bool> {
        let name = &self.0.name;
        Ok(self.has(&layout::manifests(name)).await? || self.has(&layout::layers(name)).await?)
    }

    /// Whether there is anything in the folder.
    async fn has(&self, folder: &Key) -> Result<bool> {
        Ok(self.0.state.store.children(folder, None).try_next().await?.is_some())
    }

    /// The tags that come after `last`, leaving out those that an interrupted push or deletion left without a
    /// target.
    pub(super) fn after(&self, last: Option<&str>) -> impl Stream<Item = Result<Tag>> {
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

    /// Refuses unless the precondition holds for each of the tags.
    pub(super) async fn check(&self, tags: &[Tag], precondition: &Precondition) -> Result<()> {
        if precondition.is_empty() {
            return Ok(());
        }
        for tag in tags {
            precondition.require(&Reference::Tag(tag.clone()), self.resolve(tag).await?)?;
        }
        Ok(())
    }

    /// Makes the tags point at `digest`, whose manifest is there already, if the precondition holds for all of them.
    pub(super) async fn point(
        &self,
        tags: &[Tag],
        digest: &Digest,
        precondition: &Precondition,
    ) -> Result<()> {
        let _locked = self.0.state.tag_locks.lock(&self.0.name, tags).await;
        self.check(tags, precondition).await?;
        let name = &self.0.name;
        let past = |tag| (layout::tag_history_entry(name, tag, digest), digest);
        if precondition.is_empty() {
            let links = tags.iter().flat_map(|tag| [past(tag), (layout::tag_current(name, tag), digest)]);
            return self.0.state.write_links(links).await;
        }
        self.0.state.write_links(tags.iter().map(past)).await?;
        for tag in tags {
            self.move_to(tag, digest, precondition).await?;
        }
        Ok(())
    }

    /// Makes the tag point at `digest` if the precondition holds in that very moment, whatever other processes do.
    async fn move_to(&self, tag: &Tag, digest: &Digest, precondition: &Precondition) -> Result<()> {
        let link = layout::tag_current(&self.0.name, tag);
        loop {
            let (current, unchanged) = self.0.state.read_versioned_link(&link).await?;
            precondition.require(&Reference::Tag(tag.clone()), current)?;
            match self.0.state.store.put(&link, digest.to_string().into(), unchanged).await {
                // Somebody else was faster: what the tag points at now decides.
                Err(StorageError::AlreadyExists(_) | StorageError::VersionMismatch(_)) => {}
                put => return Ok(put?),
            }
        }
    }

    /// Removes the tag if the precondition holds; `false` when there is none.
    pub(super) async fn delete(&self, tag: &Tag, precondition: &Precondition) -> Result<bool> {
        let _locked = self.0.state.tag_locks.lock(&self.0.name, [tag]).await;
        let exists = self.0.state.head(&layout::tag_current(&self.0.name, tag)).await?.is_some();
        if exists {
            self.check(std::slice::from_ref(tag), precondition).await?;
            self.trash(tag).await?;
        }
        self.remove(tag).await?;
        Ok(exists)
    }

    /// Removes the tag if it points at `digest`, with nothing in the trash: what a mirror parts with comes back by itself.
    pub(super) async fn let_go(&self, tag: &Tag, digest: &Digest) -> Result<()> {
        let _locked = self.0.state.tag_locks.lock(&self.0.name, [tag]).await;
        if self.resolve(tag).await? == Some(*digest) {
            self.remove(tag).await?;
        }
        Ok(())
    }

    /// Notes in the trash that the tag is about to be removed. The caller has locked it.
    async fn trash(&self, tag: &Tag) -> Result<()> {
        match self.resolve(tag).await? {
            Some(digest) => self.0.trash().keep(&digest, Some(tag)).await,
            None => Ok(()),
        }
    }

    /// Removes everything about the tag. The caller has locked it.
    async fn remove(&self, tag: &Tag) -> Result<()> {
        self.0.state.store.delete(&layout::tag_current(&self.0.name, tag)).await?;
        self.0.state.store.delete(&layout::pulled(&self.0.name, tag)).await?;
        self.0.state.delete_below(&layout::tag(&self.0.name, tag)).await
    }

    /// Removes the tags that point at `digest`, and what others remember of it. Returns the tags that are gone.
    pub(super) async fn forget(&self, digest: &Digest) -> Result<Vec<Tag>> {
        let tags = self.after(None).map_ok(|tag| async move {
            let is_gone = self.forget_in(&tag, digest).await?;
            Ok(is_gone.then_some(tag))
        });
        let gone = tags.try_buffered(CONCURRENCY).try_filter_map(|tag| ready(Ok(tag)));
        gone.try_collect().await
    }

    /// Returns whether the tag is gone.
    async fn forget_in(&self, tag: &Tag, digest: &Digest) -> Result<bool> {
        let _locked = self.0.state.tag_locks.lock(&self.0.name, [tag]).await;
        if self.resolve(tag).await? == Some(*digest) {
            self.0.trash().keep(digest, Some(tag)).await?;
            self.remove(tag).await?;
            return Ok(true);
        }
        self.0.state.store.delete(&layout::tag_history_entry(&self.0.name, tag, digest)).await?;
        Ok(false)
    }
}
