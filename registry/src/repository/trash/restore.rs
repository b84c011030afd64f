//! Bringing back: what was deleted is pushed once more, from the content that the trash has kept.
//!
//! So the rules of a push hold, and what a restoration and a garbage collection do at the same time is decided as it is
//! for every push.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use berth_oci::{Digest, Manifest, MediaType, Reference, Tag};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Note, Trash};
use crate::repository::{Address, Error, ManifestPush, Precondition, Result, layout};

/// A manifest that is back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Restored {
    /// The manifest.
    pub digest: Digest,
    /// Its kind.
    pub media_type: MediaType,
    /// The tags that point at it again.
    pub tags: Vec<Tag>,
    /// The tags that point at something else by now, and were left so.
    pub left: Vec<Tag>,
}

/// What is still to be done, the last first.
enum Step {
    /// Bring the manifest back, after what it lists.
    Visit(Digest),
    /// Bring it back now.
    Push(Digest),
}

/// What somebody wants to have back.
#[derive(Clone, Copy)]
struct Wish<'a> {
    /// Everything, when there is none.
    reference: Option<&'a Reference>,
    /// Whether tags that were pushed meanwhile are moved back.
    force: bool,
}

impl Trash<'_> {
    /// Brings back a tag as it was last deleted, a manifest with its tags, or without a reference everything; images that
    /// an index lists come with it.
    ///
    /// Tags that were pushed meanwhile are left, unless `force` moves them back; when it is the tag that was asked for,
    /// that is [`Error::PreconditionFailed`]. [`Error::ManifestUnknown`] when nothing of that name is in the trash.
    pub async fn restore(&self, reference: Option<&Reference>, force: bool) -> Result<Vec<Restored>> {
        self.0.check_writable()?;
        let wish = Wish { reference, force };
        let notes = self.notes().await?;
        let deleted: BTreeMap<Digest, Vec<Note>> =
            by_manifest(notes.iter().filter(|note| note.1.tag.is_none()));
        let mut wanted = wish.select(notes);
        if let (Some(reference), true) = (reference, wanted.is_empty()) {
            return Err(Error::ManifestUnknown(reference.clone()));
        }
        let mut ahead: Vec<_> = wanted.keys().copied().map(Step::Visit).collect();
        let (mut seen, mut restored) = (BTreeSet::new(), Vec::new());
        while let Some(step) = ahead.pop() {
            match step {
                Step::Visit(digest) if seen.insert(digest) => {
                    ahead.push(Step::Push(digest));
                    let listed = self.listed_by(&digest).await?.into_iter();
                    ahead.extend(listed.filter(|child| deleted.contains_key(child)).map(Step::Visit));
                }
                Step::Visit(_) => {}
                Step::Push(digest) => {
                    let notes = wanted.remove(&digest).or_else(|| deleted.get(&digest).cloned());
                    restored.extend(self.restore_manifest(&digest, &notes.unwrap_or_default(), wish).await?);
                }
            }
        }
        Ok(restored)
    }

    /// The manifests that the manifest lists, when it is an index.
    async fn listed_by(&self, digest: &Digest) -> Result<Vec<Digest>> {
        let content = self.0.state.read(&layout::blob(digest)).await?;
        let manifest = content.and_then(|(_, bytes)| Manifest::parse(&bytes, None).ok());
        Ok(manifest.iter().flat_map(Manifest::manifests).map(|child| child.digest).collect())
    }

    /// Brings one manifest back. Where everything is wanted, what lacks its content does not stand against the rest.
    async fn restore_manifest(
        &self,
        digest: &Digest,
        notes: &[Note],
        wish: Wish<'_>,
    ) -> Result<Option<Restored>> {
        let (tags, left) = self.divide(digest, notes, wish).await?;
        match self.push(digest, notes, tags, wish.force).await {
            Ok(restored) => {
                self.forget(notes, &left).await?;
                Ok(Some(Restored { left, ..restored }))
            }
            Err(error @ (Error::ManifestUnknown(_) | Error::ManifestBlobUnknown(_)))
                if wish.reference.is_none() =>
            {
                tracing::warn!(repository = %self.0.name, %digest, %error, "a manifest cannot be brought back");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The tags that come back, and those that point at something else by now.
    async fn divide(&self, digest: &Digest, notes: &[Note], wish: Wish<'_>) -> Result<(Vec<Tag>, Vec<Tag>)> {
        let (mut back, mut left) = (Vec::new(), Vec::new());
        let tags: BTreeSet<_> = notes.iter().filter_map(|(_, trashed)| trashed.tag.clone()).collect();
        for tag in tags {
            match self.0.tags().resolve(&tag).await? {
                Some(current) if current != *digest && !wish.force => {
                    wish.refuse_to_leave(&tag, current)?;
                    left.push(tag);
                }
                _ => back.push(tag),
            }
        }
        Ok((back, left))
    }

    async fn push(&self, digest: &Digest, notes: &[Note], tags: Vec<Tag>, force: bool) -> Result<Restored> {
        let content = self.0.state.read(&layout::blob(digest)).await?;
        let bytes: Bytes = content.ok_or_else(|| Error::ManifestUnknown((*digest).into()))?.1;
        self.relink(&bytes).await?;
        let must_be_free = !force && !tags.is_empty();
        let push = ManifestPush {
            bytes,
            media_type: notes.first().map(|(_, trashed)| trashed.media_type.clone()),
            address: Address::Exactly(*digest),
            tags: tags.clone(),
            precondition: Precondition {
                only_at: must_be_free.then_some(*digest),
                ..Precondition::default()
            },
        };
        let media_type = self.0.manifests().push(push).await?.media_type;
        Ok(Restored { digest: *digest, media_type, tags, left: Vec::new() })
    }

    /// Removes the notes of what is back.
    async fn forget(&self, notes: &[Note], left: &[Tag]) -> Result<()> {
        for (key, trashed) in notes {
            if trashed.tag.as_ref().is_none_or(|tag| !left.contains(tag)) {
                self.0.state.store.delete(key).await?;
            }
        }
        Ok(())
    }
}

impl Wish<'_> {
    /// The notes of what is wanted, by manifest. Of a tag, the latest deletion counts.
    fn select(self, mut notes: Vec<Note>) -> BTreeMap<Digest, Vec<Note>> {
        notes.sort_by_key(|(_, trashed)| Reverse(trashed.deleted_at));
        let mut tags = BTreeSet::new();
        notes.retain(|(_, trashed)| {
            self.reference.is_none_or(|reference| trashed.is_of(reference))
                && trashed.tag.as_ref().is_none_or(|tag| tags.insert(tag.clone()))
        });
        by_manifest(notes.iter())
    }

    /// A tag that was asked for by its name cannot just be left.
    fn refuse_to_leave(self, tag: &Tag, current: Digest) -> Result<()> {
        match self.reference {
            Some(Reference::Tag(wanted)) if wanted == tag => Err(Error::PreconditionFailed {
                reference: Reference::Tag(tag.clone()),
                current: Some(Box::new(current)),
            }),
            _ => Ok(()),
        }
    }
}

fn by_manifest<'a>(notes: impl Iterator<Item = &'a Note>) -> BTreeMap<Digest, Vec<Note>> {
    notes.fold(BTreeMap::new(), |mut manifests, note| {
        manifests.entry(note.1.digest).or_default().push(note.clone());
        manifests
    })
}
