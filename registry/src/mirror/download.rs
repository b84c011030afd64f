//! Brings a blob from upstream into the storage, and goes on where it broke off.

use std::{sync::Arc, time::Duration};

use berth_oci::RepositoryName;
use berth_storage::ByteStream;
use bytes::Bytes;
use futures::TryStreamExt as _;
use hyper::http::uri::Authority;
use tokio::time::sleep;

use super::{Error, Mirror, Result, flight::Flight, follower::for_storage};
use crate::{
    metrics::Pulled,
    repository::{self, Repository},
    upstream::{self, Blob},
};

/// So often in a row it may break off without another byte.
const ATTEMPTS: u32 = 6;

/// How long is waited before the second attempt; each next time, twice as long.
const PAUSE: Duration = Duration::from_millis(200);

/// The longest wait that upstream may ask for while clients wait too.
const PATIENCE: Duration = Duration::from_secs(30);

/// The longest piece that is passed on at once.
const PIECE: usize = 256 << 10;

/// What a download needs to know.
pub(super) struct Download {
    pub(super) flight: Arc<Flight>,
    pub(super) mirror: Arc<Mirror>,
    /// The repository at the upstream.
    pub(super) from: RepositoryName,
    /// The one here.
    pub(super) into: Repository,
}

impl Download {
    /// Does it, and tells the flight how it ends.
    pub(super) async fn run(self) {
        match self.fly().await {
            Ok(()) => {}
            Err(error @ Error::NotFound) => self.flight.fail(error),
            Err(error) => {
                let (repository, digest) = (self.into.name(), &self.flight.digest);
                let cause: &dyn std::error::Error = &error;
                tracing::warn!(%repository, %digest, error = cause, "a blob could not be mirrored");
                self.flight.fail(error);
            }
        }
    }

    async fn fly(&self) -> Result<()> {
        let digest = &self.flight.digest;
        if let Some(size) = self.size_here().await? {
            self.flight.land(size);
            return Ok(());
        }
        let asked = self.mirror.source.blob(&self.from, digest, 0).await;
        let Blob { size, body } = self.mirror.heard_of_blob(asked)?;
        let size = match size {
            Some(size) => size,
            None => self.mirror.source.head_blob(&self.from, digest).await?.ok_or(Error::NotFound)?,
        };
        if !self.into.uploads().can_be_read_while_they_grow() {
            self.flight.copy(size).await;
        }
        self.flight.begin(size);
        let (stored, received) = tokio::join!(self.store(size), self.receive(size, body));
        received?;
        stored?;
        self.mirror.fill.add(size);
        self.flight.land(size);
        Ok(())
    }

    /// The length of the blob, if the storage has got it meanwhile: in this repository, or in another one, and upstream says that it
    /// belongs into this one, too.
    async fn size_here(&self) -> Result<Option<u64>> {
        let (blobs, digest) = (self.into.blobs(), &self.flight.digest);
        match blobs.head(digest).await {
            Ok(blob) => return Ok(Some(blob.size)),
            Err(repository::Error::BlobUnknown(_)) => {}
            Err(error) => return Err(error.into()),
        }
        if !blobs.is_anywhere(digest).await? {
            return Ok(None);
        }
        self.mirror.heard_of_blob(self.mirror.source.head_blob(&self.from, digest).await)?;
        let adopted = blobs.adopt(digest).await?.map(|blob| blob.size);
        self.mirror.fill.add(adopted.unwrap_or_default());
        Ok(adopted)
    }

    async fn store(&self, size: u64) -> Result<()> {
        let flight = &self.flight;
        let body = for_storage(Arc::clone(flight), size);
        let stored = self.into.uploads().push_whole_as(flight.upload, &flight.digest, body).await;
        stored.map(drop).map_err(|error| {
            // The receiver has to hear of it, too.
            let error = Error::from(error);
            flight.fail(error.clone());
            flight.failure().unwrap_or(error)
        })
    }

    async fn receive(&self, size: u64, body: ByteStream) -> Result<()> {
        let received = self.receive_all(size, body).await;
        if let Err(error) = &received {
            self.flight.fail(error.clone());
        }
        received
    }

    async fn receive_all(&self, size: u64, mut body: ByteStream) -> Result<()> {
        let (mut position, mut failures) = (0, 0);
        let pulls = self.mirror.metrics.pulls(Pulled::Blob);
        while position < size {
            match body.try_next().await {
                Ok(Some(mut bytes)) => {
                    bytes.truncate(usize::try_from(size - position).unwrap_or(usize::MAX));
                    position += bytes.len() as u64;
                    failures = 0;
                    pulls.note_pulled(bytes.len() as u64);
                    self.publish(bytes).await?;
                }
                Ok(None) | Err(_) => body = self.resume(position, &mut failures).await?,
            }
        }
        Ok(())
    }

    async fn publish(&self, mut bytes: Bytes) -> Result<()> {
        while !bytes.is_empty() {
            let piece = bytes.split_to(bytes.len().min(PIECE));
            self.flight.publish(piece).await?;
        }
        Ok(())
    }

    async fn resume(&self, position: u64, failures: &mut u32) -> Result<ByteStream> {
        loop {
            *failures += 1;
            sleep(PAUSE * 2_u32.saturating_pow(*failures - 1)).await;
            let digest = &self.flight.digest;
            tracing::info!(%digest, position, "a blob broke off on its way from upstream; going on");
            match self.mirror.source.blob(&self.from, digest, position).await {
                Ok(blob) if *failures < ATTEMPTS => return Ok(blob.body),
                Err(error) if error.is_temporary() && *failures < ATTEMPTS => wait_as_asked(&error).await,
                Ok(_) => return Err(self.broke_off()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn broke_off(&self) -> Error {
        let server = self.mirror.upstream().parse().unwrap_or(Authority::from_static("upstream"));
        let reason = format!("sends less of {} than it has", self.flight.digest);
        Error::Upstream(upstream::Error::Unavailable { server, reason, source: None })
    }
}

async fn wait_as_asked(error: &upstream::Error) {
    if let upstream::Error::RateLimited { retry_after: Some(wait), .. } = error {
        sleep(PATIENCE.min(*wait)).await;
    }
}
