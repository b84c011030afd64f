//! Damaged content, moved aside: a push brings the content back, and nothing that a repair takes away is lost.
//!
//! A store has no operation that renames, so that it is copied first. Content that was damaged twice in different ways
//! lies here twice.

use berth_oci::Digest;
use futures::{Stream, TryStreamExt as _};
use jiff::{Timestamp, Unit};
use serde::Serialize;

use crate::repository::state::{State, found};
use crate::repository::{Error, Result, layout};

/// Damaged content in quarantine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Quarantined {
    /// The name that it had.
    pub digest: Digest,
    /// What its bytes hash to.
    pub actual: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// When it was moved there.
    pub since: Timestamp,
}

/// Moves what lies under `digest`, and has the digest `actual`, into quarantine.
///
/// The caller has condemned the digest.
pub(super) async fn move_aside(state: &State, digest: &Digest, actual: &Digest) -> Result<()> {
    let (content, place) = (layout::blob(digest), layout::quarantined(digest, actual));
    if state.head(&place).await?.is_none() {
        let Some(damaged) = found(state.store.get(&content, None).await)? else { return Ok(()) };
        let copy = layout::quarantined_partly(digest, actual);
        // What a repair has left that was interrupted.
        state.store.abort(&copy).await?;
        match state.store.append(&copy, 0, damaged.body, Some(&place)).await {
            Ok(size) => state.store.complete(&copy, size, &place).await?,
            Err(error) => {
                state.store.abort(&copy).await?;
                return Err(error.into());
            }
        }
    }
    Ok(state.store.delete(&content).await?)
}

/// What is in quarantine.
pub(super) fn list(state: &State) -> impl Stream<Item = Result<Quarantined>> + '_ {
    let objects = state.store.list(&layout::quarantine(), None).map_err(Error::from);
    objects.try_filter_map(|object| async move {
        let found = layout::digests_of_quarantined(&object.key).map(|(digest, actual)| {
            let since = Timestamp::try_from(object.modified).unwrap_or_default();
            let since = since.round(Unit::Second).unwrap_or(since);
            Quarantined { digest, actual, size: object.size, since }
        });
        Ok(found)
    })
}

/// Deletes all that is in quarantine.
pub(super) async fn empty(state: &State) -> Result<()> {
    let mut objects = state.store.list(&layout::quarantine(), None);
    while let Some(object) = objects.try_next().await? {
        match layout::digests_of_quarantined(&object.key) {
            Some(_) => state.store.delete(&object.key).await?,
            None => state.store.abort(&object.key).await?,
        }
    }
    Ok(())
}
