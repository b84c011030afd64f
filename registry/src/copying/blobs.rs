//! Blobs: each is sent once, and taken over by the other repositories of the destination that need it.

use std::{
    collections::HashMap,
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

/// In which repository of the destination each blob is. Whoever holds the place of a blob is about to bring it there, so
/// that it is sent once.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<HashMap<Digest, Arc<AsyncMutex<Option<RepositoryName>>>>>);

impl Known {
    fn place(&self, digest: &Digest) -> Arc<AsyncMutex<Option<RepositoryName>>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(*digest).or_default())
    }
}

impl Copy {
    /// Brings a blob to the destination, if it is not there.
    pub(super) async fn blob(&self, route: &Route, blob: &Descriptor) -> Result<()> {
        let place = self.known.place(&blob.digest);
        let mut home = place.lock().await;
        if home.as_ref() == Some(&route.to) {
            return Ok(());
        }
        persistently(async || self.bring(route, blob, home.as_ref()).await).await?;
        *home = Some(route.to.clone());
        Ok(())
    }

    async fn bring(&self, route: &Route, blob: &Descriptor, home: Option<&RepositoryName>) -> Result<()> {
        let digest = &blob.digest;
        if self.destination.has_blob(&route.to, digest).await? {
            return Ok(());
        }
        let in_source = Some(&route.from).filter(|_| self.source.is_same_as(&self.destination));
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
}
