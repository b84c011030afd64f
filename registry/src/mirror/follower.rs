//! A client, or the storage, that follows a flight from some byte to another.

use std::{io, sync::Arc};

use berth_oci::ByteRange;
use berth_storage::ByteStream;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use tokio::sync::watch;

use super::flight::{Flight, Look, Progress, Stage, broken_off};
use crate::repository::Repository;

/// Reads a blob that is on its way.
pub(super) struct Follower {
    flight: Arc<Flight>,
    progress: watch::Receiver<Progress>,
    /// Where the blob is stored.
    repository: Repository,
    position: u64,
    end: u64,
    /// What is read from the storage, because it has left the window, and from where on.
    stored: Option<(u64, ByteStream)>,
}

impl Follower {
    /// Reads from `position` to `end`.
    pub(super) fn new(flight: Arc<Flight>, repository: Repository, position: u64, end: u64) -> Self {
        let progress = flight.follow();
        Self { flight, progress, repository, position, end, stored: None }
    }

    /// The bytes.
    pub(super) fn stream(self) -> ByteStream {
        stream::try_unfold(self, |mut follower| async move {
            Ok(follower.next().await?.map(|bytes| (bytes, follower)))
        })
        .boxed()
    }

    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        while self.position < self.end {
            if let Some(bytes) = self.next_stored().await? {
                return Ok(Some(self.pass(bytes)));
            }
            self.progress.mark_unchanged();
            match self.flight.look(self.position) {
                Look::Here(bytes) => return Ok(Some(self.pass(bytes))),
                Look::Behind(start) => self.open(start).await?,
                Look::Ahead => self.wait().await?,
            }
        }
        Ok(None)
    }

    fn pass(&mut self, mut bytes: Bytes) -> Bytes {
        let left = usize::try_from(self.end - self.position).unwrap_or(usize::MAX);
        bytes.truncate(left);
        self.position += bytes.len() as u64;
        bytes
    }

    async fn next_stored(&mut self) -> io::Result<Option<Bytes>> {
        let Some((begin, stored)) = &mut self.stored else { return Ok(None) };
        let next = stored.try_next().await?;
        if next.is_none() {
            let was_empty = *begin == self.position;
            self.stored = None;
            if was_empty {
                // The storage is slower than it should be.
                self.wait().await?;
            }
        }
        Ok(next)
    }

    /// Reads up to the window from what has been stored by now, or, where that cannot be read yet, from its copy; without
    /// one, all when it is stored.
    async fn open(&mut self, start: u64) -> io::Result<()> {
        let stage = self.progress.borrow().stage.clone();
        match stage {
            Stage::Stored { .. } => self.open_whole().await,
            Stage::Failed(error) => Err(broken_off(error)),
            Stage::Asking | Stage::Arriving { .. } => {
                let (upload, range) = (self.flight.upload, self.position..start.min(self.end));
                if let Some(spool) = self.flight.spool() {
                    return match spool.read(range.start, range.end).await? {
                        Some(bytes) => {
                            self.stored = Some((self.position, stream::iter([Ok(bytes)]).boxed()));
                            Ok(())
                        }
                        None => self.wait_for_end().await,
                    };
                }
                match self.repository.uploads().arrived(&upload, range).await.map_err(io::Error::other)? {
                    Some(body) => self.stored = Some((self.position, body)),
                    None => self.wait_for_end().await?,
                }
                Ok(())
            }
        }
    }

    async fn open_whole(&mut self) -> io::Result<()> {
        let rest = ByteRange::FromTo { first: self.position, last: self.end - 1 };
        let blob = self.repository.blobs().open_arrived(&self.flight.digest, rest).await;
        self.stored = Some((self.position, blob.map_err(io::Error::other)?.body.boxed()));
        Ok(())
    }

    /// Waits for more, or reads what is stored already.
    async fn wait(&mut self) -> io::Result<()> {
        let stage = self.progress.borrow().stage.clone();
        match stage {
            Stage::Failed(error) => Err(broken_off(error)),
            Stage::Stored { .. } => self.open_whole().await,
            Stage::Asking | Stage::Arriving { .. } => self.progress.changed().await.map_err(io::Error::other),
        }
    }

    async fn wait_for_end(&mut self) -> io::Result<()> {
        let is_over = |progress: &Progress| matches!(progress.stage, Stage::Stored { .. } | Stage::Failed(_));
        self.progress.wait_for(is_over).await.map(drop).map_err(io::Error::other)
    }
}

/// All of the flight, for the storage that keeps it.
pub(super) fn for_storage(flight: Arc<Flight>, size: u64) -> ByteStream {
    let progress = flight.follow();
    stream::try_unfold((flight, progress, 0), move |(flight, mut progress, mut position)| async move {
        loop {
            if let Some(error) = flight.failure() {
                return Err(broken_off(error));
            }
            progress.mark_unchanged();
            match flight.look_for_storage(position) {
                Look::Here(bytes) => {
                    if let Some(spool) = flight.spool() {
                        spool.append(position, bytes.clone()).await;
                    }
                    position += bytes.len() as u64;
                    return Ok(Some((bytes, (flight, progress, position))));
                }
                _ if position == size => return Ok(None),
                _ => progress.changed().await.map_err(io::Error::other)?,
            }
        }
    })
    .boxed()
}
