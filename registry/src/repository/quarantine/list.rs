//! A list of what rests in quarantine: in the storage a small record, which says which list is in force, and parts with
//! one digest a line; in memory the digests.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use berth_oci::Digest;
use berth_storage::{ObjectStore, PutCondition};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::repository::digest_set::DigestSet;
use crate::repository::documents::{read_document, write_document};
use crate::repository::state::read;
use crate::repository::{Result, layout};

/// How many digests a part has: about four megabytes of text.
const PART_LENGTH: usize = 50_000;

/// What says which list is in force.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    id: String,
    parts: u32,
}

/// A list that is in force.
#[derive(Debug, Default)]
pub(in crate::repository) struct List {
    record: Record,
    /// Since when the record says so.
    listed_at: Option<SystemTime>,
    digests: DigestSet,
    /// Those that this process has rescued.
    rescued: Mutex<DigestSet>,
}

impl List {
    /// The name of the list. No two lists have the same; that there never was one is a list without a name.
    pub(in crate::repository) fn id(&self) -> &str {
        &self.record.id
    }

    /// Whether the digest is on it.
    pub(in crate::repository) fn contains(&self, digest: &Digest) -> bool {
        self.digests.contains(digest)
    }

    /// Whether nothing is on it.
    pub(in crate::repository) fn is_empty(&self) -> bool {
        self.digests.is_empty()
    }

    /// When it will have rested for as long as that.
    pub(in crate::repository) fn has_rested_at(&self, rest: Duration) -> SystemTime {
        self.listed_at.unwrap_or(SystemTime::UNIX_EPOCH) + rest
    }

    /// How many parts it has.
    pub(in crate::repository) fn parts(&self) -> u32 {
        self.record.parts
    }

    pub(super) fn is_rescued(&self, digest: &Digest) -> bool {
        self.rescued.lock().unwrap_or_else(PoisonError::into_inner).contains(digest)
    }

    pub(super) fn note_rescued(&self, digest: &Digest) {
        self.rescued.lock().unwrap_or_else(PoisonError::into_inner).insert(digest);
    }
}

/// The list in force, which is `known` if that has not changed.
pub(super) async fn current(store: &Arc<dyn ObjectStore>, known: Option<Arc<List>>) -> Result<Arc<List>> {
    loop {
        let (record, listed_at) = record(store).await?;
        if let Some(known) = known.as_ref().filter(|known| known.record == record) {
            return Ok(Arc::clone(known));
        }
        let mut digests = DigestSet::default();
        for number in 0..record.parts {
            for digest in part(&**store, &record.id, number).await? {
                digests.insert(&digest);
            }
        }
        // The parts of a list that is no longer in force may have gone meanwhile.
        if self::record(store).await?.0 == record {
            return Ok(Arc::new(List { record, listed_at, digests, rescued: Mutex::default() }));
        }
    }
}

/// Which list is in force, and since when.
async fn record(store: &Arc<dyn ObjectStore>) -> Result<(Record, Option<SystemTime>)> {
    let found = read_document(&**store, &layout::collection::current_list()).await?;
    // Without a list nothing is deleted, so that a damaged record does no harm.
    Ok(found.map_or_else(Default::default, |(meta, record)| (record, Some(meta.modified))))
}

/// The digests in a part of a list. A part is removed when nothing in it is left to do.
pub(in crate::repository) async fn part(
    store: &dyn ObjectStore,
    id: &str,
    number: u32,
) -> Result<Vec<Digest>> {
    let found = read(store, &layout::collection::list_part(id, number)).await?;
    let text = found.map(|(_, text)| text).unwrap_or_default();
    let lines = std::str::from_utf8(&text).unwrap_or_default().lines();
    Ok(lines.filter_map(|line| line.parse().ok()).collect())
}

/// A list that is being written.
#[derive(Debug)]
pub(in crate::repository) struct ListWriter {
    store: Arc<dyn ObjectStore>,
    record: Record,
    part: String,
    part_length: usize,
    digests: DigestSet,
}

impl ListWriter {
    pub(super) fn new(store: Arc<dyn ObjectStore>) -> Self {
        let record = Record { id: Uuid::new_v4().to_string(), ..Record::default() };
        Self { store, record, part: String::new(), part_length: 0, digests: DigestSet::default() }
    }

    /// Adds a digest; `false` when it is on the list already.
    pub(in crate::repository) async fn add(&mut self, digest: &Digest) -> Result<bool> {
        if !self.digests.insert(digest) {
            return Ok(false);
        }
        self.part.push_str(&digest.to_string());
        self.part.push('\n');
        self.part_length += 1;
        if self.part_length == PART_LENGTH {
            self.write_part().await?;
        }
        Ok(true)
    }

    async fn write_part(&mut self) -> Result<()> {
        let key = layout::collection::list_part(&self.record.id, self.record.parts);
        let part = std::mem::take(&mut self.part);
        self.store.put(&key, part.into(), PutCondition::Always).await?;
        self.record.parts += 1;
        self.part_length = 0;
        Ok(())
    }

    /// Puts the list in force.
    pub(super) async fn finish(mut self) -> Result<List> {
        if self.part_length > 0 {
            self.write_part().await?;
        }
        let key = layout::collection::current_list();
        write_document(&*self.store, &key, &self.record, PutCondition::Always).await?;
        // That the record was written may be told late; from its own time on everybody could read it.
        let listed_at = self.store.head(&key).await?.modified;
        let (record, digests) = (self.record, self.digests);
        Ok(List { record, listed_at: Some(listed_at), digests, rescued: Mutex::default() })
    }
}
