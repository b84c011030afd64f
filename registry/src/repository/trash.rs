//! The trash: what was deleted can be brought back for a while.
//!
//! A deletion removes a name at once and for everybody, also for a registry of Distribution on the same storage. What
//! it leaves is a note of ours in the repository: `_berth/trash/manifests/<algorithm>/<hex>/<until>-<random>`, one
//! for each tag and one for a manifest that was deleted itself. The manifests of which there are notes are roots of the garbage
//! collection, so that their content stays. Until when is written in the name of a note: a collector needs neither to
//! read it nor to know the configuration, and a new window holds for later deletions.

mod note;
mod repository;
mod restore;

use std::future::ready;
use std::time::{Duration, SystemTime};

use berth_oci::{Digest, Tag};
use berth_storage::{Key, PutCondition};
use futures::{Stream, TryStreamExt as _};
use jiff::Timestamp;

use self::note::NoteName;
pub use self::note::Trashed;
pub use self::restore::Restored;
use super::{Error, Repository, Result, layout};

/// How many notes are read at once.
const CONCURRENCY: usize = 16;

/// For how long a collector keeps a note that cannot be restored any more: a restoration may be going on, and the clocks
/// of replicas differ.
const MARGIN: Duration = Duration::from_mins(5);

/// A note and where it is.
type Note = (Key, Trashed);

/// What was deleted from a repository and can be brought back.
#[derive(Debug)]
pub struct Trash<'a>(pub(super) &'a Repository);

impl Trash<'_> {
    /// What is there, the latest deletion first.
    pub async fn list(&self) -> Result<Vec<Trashed>> {
        let mut trashed: Vec<_> = self.notes().await?.into_iter().map(|(_, note)| note).collect();
        trashed.sort_by(|one, other| other.deleted_at.cmp(&one.deleted_at).then(one.tag.cmp(&other.tag)));
        Ok(trashed)
    }

    /// Gives up everything that is there. The next garbage collections delete its content.
    pub async fn empty(&self) -> Result<()> {
        self.0.check_deletable()?;
        self.0.state.delete_below(&layout::trash(&self.0.name)).await
    }

    /// Notes that a tag, or without one the manifest itself, is about to be deleted.
    ///
    /// A tag that leads to no manifest leaves nothing to bring back.
    pub(super) async fn keep(&self, digest: &Digest, tag: Option<&Tag>) -> Result<()> {
        if self.0.rules.trash_window.is_zero() {
            return Ok(());
        }
        let media_type = match self.0.manifests().get(&(*digest).into()).await {
            Err(Error::ManifestUnknown(_)) => return Ok(()),
            manifest => manifest?.media_type,
        };
        let now = self.0.state.clock.now();
        let name = NoteName::new(now + self.0.rules.trash_window);
        let note = Trashed {
            digest: *digest,
            media_type,
            tag: tag.cloned(),
            deleted_at: note::to_microseconds(now),
            deleted_by: self.0.actor.as_deref().map(str::to_owned),
            until: name.until(),
        };
        let key = layout::trashed_manifest(&self.0.name, digest, &name.to_string());
        Ok(self.0.state.store.put(&key, note.encode(), PutCondition::Always).await?)
    }

    /// The manifests whose content a garbage collection must keep. A digest may come more than once.
    pub(super) fn roots(&self) -> impl Stream<Item = Result<Digest>> {
        let oldest = self.oldest_kept();
        let notes = self.0.state.store.list(&layout::trashed_manifests(&self.0.name), None);
        notes.map_err(Error::from).try_filter_map(move |meta| {
            let root = note::parse(&meta.key, &self.0.name).filter(|(_, name)| name.until() >= oldest);
            ready(Ok(root.map(|(digest, _)| digest)))
        })
    }

    /// Removes what can no longer be brought back.
    pub(super) async fn remove_expired(&self) -> Result<()> {
        let oldest = self.oldest_kept();
        let mut notes = self.0.state.store.list(&layout::trash(&self.0.name), None);
        while let Some(meta) = notes.try_next().await? {
            if note::name_of(&meta.key).is_some_and(|name| name.until() < oldest) {
                self.0.state.store.delete(&meta.key).await?;
            }
        }
        Ok(())
    }

    fn oldest_kept(&self) -> Timestamp {
        let oldest = self.0.state.clock.now().checked_sub(MARGIN).unwrap_or(SystemTime::UNIX_EPOCH);
        Timestamp::try_from(oldest).unwrap_or_default()
    }

    /// The notes that hold now. One that cannot be read is passed over.
    async fn notes(&self) -> Result<Vec<Note>> {
        let state = &self.0.state;
        let now = Timestamp::try_from(state.clock.now()).unwrap_or_default();
        let folder = layout::trashed_manifests(&self.0.name);
        let listed = state.store.list(&folder, None).map_err(Error::from).map_ok(|meta| meta.key);
        let holding = listed.try_filter(|key| {
            let holds = note::parse(key, &self.0.name).is_some_and(|(_, name)| name.until() > now);
            ready(holds)
        });
        let read = holding.map_ok(|key| async move {
            let content = state.read(&key).await?;
            Ok(content.and_then(|(_, content)| Trashed::decode(&content)).map(|note| (key, note)))
        });
        read.try_buffered(CONCURRENCY).try_filter_map(|note| ready(Ok(note))).try_collect().await
    }
}
