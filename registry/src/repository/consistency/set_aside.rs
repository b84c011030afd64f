//! Damaged content, moved aside: a push brings the content back, and nothing that a repair takes away is lost.
//!
//! A store has no operation that renames, so that it is copied first. Content that was damaged twice in different ways
//! lies here twice.

use berth_oci::Digest;
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use jiff::{Timestamp, Unit};
use serde::Serialize;

use crate::repository::state::{State, found};
use crate::repository::{Error, Result, layout};

/// Damaged content that is set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SetAside {
    /// The name that it had.
    pub digest: Digest,
    /// What its bytes hash to.
    pub actual: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// When it was moved there.
    pub since: Timestamp,
}

/// Sets aside what lies under `digest` and has the digest `actual`.
///
/// The caller has condemned the digest.
pub(super) async fn move_there(state: &State, digest: &Digest, actual: &Digest) -> Result<()> {
    let (content, place) = (layout::blob(digest), layout::damaged(digest, actual));
    if state.head(&place).await?.is_none() {
        let Some(damaged) = found(state.store.get(&content, None).await)? else { return Ok(()) };
        let copy = layout::damaged_partly(digest, actual);
        // What a repair has left that was interrupted.
        state.store.abort(&copy).await?;
        match state.store.append(&copy, 0, damaged.body.boxed(), Some(&place)).await {
            Ok(size) => state.store.complete(&copy, size, &place).await?,
            Err(error) => {
                state.store.abort(&copy).await?;
                return Err(error.into());
            }
        }
    }
    Ok(state.store.delete(&content).await?)
}

/// What is set aside.
pub(super) fn list(state: &State) -> impl Stream<Item = Result<SetAside>> + '_ {
    let objects = state.store.list(&layout::all_damaged(), None).map_err(Error::from);
    objects.try_filter_map(|object| async move {
        let found = layout::digests_of_damaged(&object.key).map(|(digest, actual)| {
            let since = Timestamp::try_from(object.modified).unwrap_or_default();
            let since = since.round(Unit::Second).unwrap_or(since);
            SetAside { digest, actual, size: object.size, since }
        });
        Ok(found)
    })
}

/// Deletes all that is set aside.
pub(super) async fn discard(state: &State) -> Result<()> {
    let mut objects = state.store.list(&layout::all_damaged(), None);
    while let Some(object) = objects.try_next().await? {
        match layout::digests_of_damaged(&object.key) {
            Some(_) => state.store.delete(&object.key).await?,
            None => state.store.abort(&object.key).await?,
        }
    }
    Ok(())
}
