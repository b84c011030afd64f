//! The quarantine: how those who rely on content and those who delete it agree, in any number of processes, with
//! nothing between them but the storage.
//!
//! A collector never deletes what it has just found to be garbage. It writes a *list* of it, and comes back when the
//! list has rested. Only what is on the list, and is still garbage then, is deleted. Everybody else keeps the list in
//! memory, at most [`REFRESH_AFTER`] old, and asks it before telling a client that some content exists:
//!
//! - *Not on the list*: the content stays for as long as lists rest, less the age of what we know. Nothing has to be
//!   done for it, and no request to the storage is needed.
//! - *On the list*: it is *rescued*. A mark is put beside the list, and then the *announcement* is read, in which the
//!   collector says what it is deleting. When it names the content, that is waited out. What is found in the storage
//!   after that stays.
//!
//! The collector announces some digests at a time, and then reads the marks and spares what they name. Each side
//! writes before it reads; so in a store where everybody sees what was written, at least one of the two sees the
//! other: content is spared, or seen to be gone, and never promised and then deleted.
//!
//! What makes content needed, such as a manifest, becomes visible some time after the content was looked up, and that
//! time has no bound. Therefore whoever makes such a thing visible asks [`Quarantine::has_changed`] afterwards, and
//! looks again if another list is in force. If it is the same one, no look of a collector that could delete the content
//! has begun before the thing was visible, and all later looks see it. That holds when lists rest for longer than
//! [`REFRESH_AFTER`]: hence [`SHORTEST_REST`]. Within a process a new list is known at once, however short it rests.
//!
//! A collector that dies leaves its announcement behind. It counts until [`announcement::OVERDUE`] after its end; a
//! collector asks the clock before each deletion and stops in time. What remains is a process that is suspended between
//! asking the clock and the call that deletes, for longer than that, and clocks that differ by as much. A shared folder
//! must show every process what the others have written: on NFS, mount it with `lookupcache=none`.

mod announcement;
mod list;

use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use berth_oci::Digest;
use berth_storage::{Clock, Error as StorageError, ObjectStore, PutCondition};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use self::announcement::Announced;
pub(super) use self::announcement::Announcement;
pub(super) use self::list::{List, ListWriter, part};
use super::digest_set::DigestSet;
use super::{Error, Result, layout};

/// How old what a process knows of the list may be.
const REFRESH_AFTER: Duration = Duration::from_secs(2);

/// How long a list must rest at least, when other processes may rely on what it names.
pub(super) const SHORTEST_REST: Duration = Duration::from_secs(5);

/// How often it is looked whether a deletion is over.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// How many marks are looked for at once.
const CONCURRENCY: usize = 16;

/// What this process knows of the quarantine.
#[derive(Debug)]
pub(super) struct Quarantine {
    store: Arc<dyn ObjectStore>,
    clock: Clock,
    known: RwLock<Option<Known>>,
    /// Held by whoever asks the storage, so that one does at a time.
    refreshing: Mutex<()>,
    rescues: AtomicU64,
}

#[derive(Debug, Clone)]
struct Known {
    list: Arc<List>,
    as_of: Instant,
}

impl Quarantine {
    /// The quarantine in `store`.
    pub(super) fn new(store: Arc<dyn ObjectStore>, clock: Clock) -> Self {
        Self {
            store,
            clock,
            known: RwLock::default(),
            refreshing: Mutex::default(),
            rescues: AtomicU64::default(),
        }
    }

    /// The list in force, as it was a moment ago.
    pub(super) async fn list(&self) -> Result<Arc<List>> {
        if let Some(list) = self.known_list() {
            return Ok(list);
        }
        let _refreshing = self.refreshing.lock().await;
        match self.known_list() {
            Some(list) => Ok(list),
            None => self.refresh().await,
        }
    }

    /// Whether the content is sure not to be on the list, as far as that is known without asking the storage.
    pub(super) fn is_known_to_lack(&self, digest: &Digest) -> bool {
        self.of_known_list(|list| !list.contains(digest)).unwrap_or(false)
    }

    fn known_list(&self) -> Option<Arc<List>> {
        self.of_known_list(Arc::clone)
    }

    /// What is asked of the list that is known, if it is not too old.
    fn of_known_list<T>(&self, ask: impl FnOnce(&Arc<List>) -> T) -> Option<T> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().filter(|known| known.as_of.elapsed() < REFRESH_AFTER).map(|known| ask(&known.list))
    }

    /// The list in force now.
    async fn refresh(&self) -> Result<Arc<List>> {
        // What comes to be while we ask counts as unknown.
        let as_of = Instant::now();
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).clone();
        let list = list::current(&self.store, known.map(|known| known.list)).await?;
        self.know(Known { list: Arc::clone(&list), as_of });
        Ok(list)
    }

    fn know(&self, known: Known) {
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(known);
    }

    /// Whether another list is in force than `seen`, which becomes that one then.
    pub(super) async fn has_changed(&self, seen: &mut Arc<List>) -> Result<bool> {
        let list = self.list().await?;
        let has_changed = list.id() != seen.id();
        *seen = list;
        Ok(has_changed)
    }

    /// Keeps the content from being deleted, and tells whether it was about to be. Whether it exists must be looked up
    /// afterwards then, not before.
    pub(super) async fn rescue(&self, digest: &Digest) -> Result<bool> {
        let list = self.list().await?;
        if !list.contains(digest) {
            return Ok(false);
        }
        if list.is_rescued(digest) {
            return Ok(true);
        }
        let mark = layout::collection::rescue_mark(list.id(), digest);
        match self.store.put(&mark, Bytes::new(), PutCondition::Always).await {
            // A storage that is mounted read-only still serves those who pull.
            Err(error @ StorageError::Other { .. }) => {
                tracing::warn!(%digest, %error, "the content could not be marked as in use");
                return Ok(true);
            }
            put => put?,
        }
        self.wait_until_not_being_deleted(digest).await?;
        list.note_rescued(digest);
        self.rescues.fetch_add(1, Ordering::Relaxed);
        Ok(true)
    }

    async fn wait_until_not_being_deleted(&self, digest: &Digest) -> Result<()> {
        while let Some(announced) = Announced::read(&self.store).await? {
            if !announced.names(digest) || announced.is_overdue(self.clock.now()) {
                break;
            }
            sleep(POLL_INTERVAL).await;
        }
        Ok(())
    }

    /// How often content was rescued by this process.
    pub(super) fn rescues(&self) -> u64 {
        self.rescues.load(Ordering::Relaxed)
    }
}

/// What only the one collector does.
impl Quarantine {
    /// The list in force now, and not a moment ago.
    pub(super) async fn newest_list(&self) -> Result<Arc<List>> {
        let _refreshing = self.refreshing.lock().await;
        self.refresh().await
    }

    /// Begins a new list.
    pub(super) fn write_list(&self) -> ListWriter {
        ListWriter::new(Arc::clone(&self.store))
    }

    /// Puts a new list in force.
    pub(super) async fn install(&self, written: ListWriter) -> Result<Arc<List>> {
        let _refreshing = self.refreshing.lock().await;
        let as_of = Instant::now();
        let list = Arc::new(written.finish().await?);
        self.know(Known { list: Arc::clone(&list), as_of });
        Ok(list)
    }

    /// Which of these were rescued from the list.
    ///
    /// All marks are listed while there are no more of them than digests are asked for. Where there are many, each digest is
    /// asked for by itself: what this costs follows how much is deleted, however much was rescued.
    async fn rescued_from(&self, list: &List, digests: &[Digest]) -> Result<DigestSet> {
        let marks = self.store.list(&layout::collection::rescued(list.id()), None);
        let marks: Vec<_> = marks.take(digests.len() + 1).try_collect().await?;
        if marks.len() > digests.len() {
            return self.rescued_one_by_one(list, digests).await;
        }
        let mut rescued = DigestSet::default();
        for mark in marks {
            if let Some(digest) = layout::collection::digest_of_rescue_mark(&mark.key, list.id()) {
                rescued.insert(&digest);
            }
        }
        Ok(rescued)
    }

    async fn rescued_one_by_one(&self, list: &List, digests: &[Digest]) -> Result<DigestSet> {
        let looks = stream::iter(digests.to_vec()).map(|digest| async move {
            match self.store.head(&layout::collection::rescue_mark(list.id(), &digest)).await {
                Err(StorageError::NotFound(_)) => Ok(None),
                mark => mark.map(|_| Some(digest)),
            }
        });
        let mut looks = pin!(looks.buffer_unordered(CONCURRENCY));
        let mut rescued = DigestSet::default();
        while let Some(digest) = looks.try_next().await? {
            digest.map(|digest| rescued.insert(&digest));
        }
        Ok(rescued)
    }

    /// Says that these, which are on the list, are about to be deleted, and finds out which may be.
    pub(super) async fn announce(&self, list: &List, digests: Vec<Digest>) -> Result<Announcement> {
        let announced = Announcement::publish(&self.store, digests.clone(), self.clock.clone()).await?;
        let rescued = self.rescued_from(list, &digests).await?;
        Ok(announced.sparing(rescued))
    }

    /// Removes what collectors that died have left: an announcement, once nobody can act by it any more, and lists
    /// that are not in force.
    pub(super) async fn tidy(&self, list: &List) -> Result<()> {
        while let Some(left) = Announced::read(&self.store).await? {
            if left.is_overdue(self.clock.now()) {
                self.store.delete(&layout::collection::announcement()).await?;
            } else {
                sleep(POLL_INTERVAL).await;
            }
        }
        let ids: Vec<String> = self.store.children(&layout::collection::lists(), None).try_collect().await?;
        for id in ids.iter().filter(|id| *id != list.id()) {
            let objects = self.store.list(&layout::collection::list(id), None).map_err(Error::from);
            objects.try_for_each(|object| async move { Ok(self.store.delete(&object.key).await?) }).await?;
        }
        Ok(())
    }
}
