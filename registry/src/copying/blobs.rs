//! Blobs: each is sent once, and taken over by the other repositories of the destination that need it.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use berth_oci::{Descriptor, Digest, RepositoryName};
use tokio::sync::Mutex as AsyncMutex;

use super::{
    Error, Result,
    attempts::persistently,
    copy::{Copy, Route},
    place::Mounted,
    resuming::resuming,
};

/// In which repositories of the destination each blob is. Whoever holds the place of a blob is about to bring it there, so
/// that it is sent once.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<HashMap<Digest, Homes>>);

/// The repositories of the destination that have a blob, as far as that is known.
type Homes = Arc<AsyncMutex<BTreeSet<RepositoryName>>>;

impl Known {
    fn place(&self, digest: &Digest) -> Homes {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(*digest).or_default())
    }
}

impl Copy {
    /// Brings a blob to the destination, if it is not there.
    pub(super) async fn blob(&self, route: &Route, blob: &Descriptor) -> Result<()> {
        let place = self.known.place(&blob.digest);
        let mut homes = place.lock().await;
        if homes.contains(&route.to) {
            return Ok(());
        }
        persistently(async || self.bring(route, blob, homes.first()).await).await?;
        homes.insert(route.to.clone());
        Ok(())
    }

    async fn bring(&self, route: &Route, blob: &Descriptor, home: Option<&RepositoryName>) -> Result<()> {
        let digest = &blob.digest;
        if self.destination.has_blob(&route.to, digest).await? {
            return Ok(());
        }
        let in_source = Some(&route.from).filter(|_| self.source.is_same_as(&self.destination));
        if self.is_dry_run {
            return self.count(route, blob, home.or(in_source).is_some()).await;
        }
        let upload = match home.or(in_source) {
            None => None,
            Some(from) => match self.destination.mount(&route.to, digest, from).await? {
                Mounted::Yes => {
                    self.counters.mounted.add(1);
                    return Ok(());
                }
                Mounted::No(upload) => upload,
            },
        };
        // The number of transfers is limited, and not that of questions.
        let _transfer = self.transfers.acquire().await;
        let Some(begin) = self.source.blob(&route.from, digest, 0).await? else {
            let may_lack = blob.may_be_elsewhere();
            return if may_lack { Ok(()) } else { Err(Error::Missing(format!("the blob {digest}"))) };
        };
        let body = resuming(
            self.source.clone(),
            route.from.clone(),
            (*digest, blob.size),
            begin,
            Arc::clone(&self.counters),
        );
        self.destination.take_blob(&route.to, blob, upload, body).await?;
        self.counters.blobs.add(1);
        Ok(())
    }

    /// Counts a blob that would be brought.
    async fn count(&self, route: &Route, blob: &Descriptor, is_mounted: bool) -> Result<()> {
        if is_mounted {
            self.counters.mounted.add(1);
        } else if self.source.has_blob(&route.from, &blob.digest).await? {
            self.counters.blobs.add(1);
            self.counters.bytes.add(blob.size);
        } else if !blob.may_be_elsewhere() {
            return Err(Error::Missing(format!("the blob {}", blob.digest)));
        }
        Ok(())
    }
}
