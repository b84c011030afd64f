//! Blobs that are not stored yet: they come from upstream, once, whoever and however many ask for them.

use std::sync::{Arc, PoisonError};

use berth_oci::{ByteRange, Digest};
use berth_storage::Body;

use super::{
    Error, Mirror, Result,
    download::Download,
    error::refuses,
    flight::{Flight, Stage},
    follower::Follower,
    freshness::Rest,
};
use crate::{
    metrics::Pulled,
    repository::{self, BlobContent, BlobInfo, Repository},
};

impl Mirror {
    /// Counts a blob that is stored, and of which so many bytes are given to a client.
    pub fn note_stored_blob(&self, bytes: u64) {
        self.metrics.asked(Pulled::Blob, true);
        self.metrics.pushed(Pulled::Blob, bytes);
    }

    /// What is known about a blob, which need not be stored.
    pub async fn head_blob(self: &Arc<Self>, repository: &Repository, digest: &Digest) -> Result<BlobInfo> {
        match repository.blobs().head(digest).await {
            Ok(blob) => return Ok(blob),
            Err(repository::Error::BlobUnknown(_)) => {}
            Err(error) => return Err(error.into()),
        }
        self.check_blobs_wanted()?;
        let name = self.name_there(repository.name())?;
        let size = match self.heard_of_blob(self.source.head_blob(&name, digest).await)? {
            Some(size) => size,
            // Then it has to begin to come.
            None => self.size_of(&*self.flight(repository, digest)?).await?,
        };
        Ok(BlobInfo { digest: *digest, size })
    }

    /// A blob that is not stored, or the part of it that `range` names: its bytes come as they arrive from upstream.
    pub async fn open_blob(
        self: &Arc<Self>,
        repository: &Repository,
        digest: &Digest,
        range: Option<ByteRange>,
    ) -> Result<BlobContent> {
        self.metrics.asked(Pulled::Blob, false);
        self.check_blobs_wanted()?;
        if let Err(error) = repository.check_room().await {
            return if refuses(&error) {
                self.pass_blob(repository, digest, range).await
            } else {
                Err(error.into())
            };
        }
        let flight = self.flight(repository, digest)?;
        let size = self.size_of(&flight).await?;
        let (range, position, end) = part(range, size)?;
        self.metrics.pushed(Pulled::Blob, end - position);
        let body = match self.part_ahead(repository, &flight, position, end).await {
            Some(part) => part,
            None => Follower::new(flight, repository.clone(), position, end).stream(),
        };
        Ok(BlobContent { digest: *digest, size, range, body: Body::Stream(body) })
    }

    /// Refuses what would ask upstream for a manifest or a list when that must not be.
    pub(super) fn check_online(&self) -> Result<()> {
        self.check_rest(&self.rest)
    }

    /// Refuses what would ask upstream for a blob when that must not be.
    pub(super) fn check_blobs_wanted(&self) -> Result<()> {
        self.check_rest(&self.rest_of_blobs)
    }

    fn check_rest(&self, rest: &Rest) -> Result<()> {
        if self.offline {
            return Err(Error::Offline);
        }
        match rest.wanted() {
            Some(left) => Err(Error::RateLimited { retry_after: Some(left) }),
            None => Ok(()),
        }
    }

    /// The flight of a blob, which begins unless it is under way.
    pub(super) fn flight(self: &Arc<Self>, repository: &Repository, digest: &Digest) -> Result<Arc<Flight>> {
        let key = (repository.name().clone(), *digest);
        let from = self.name_there(repository.name())?;
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = flights.get(&key) {
            return Ok(Arc::clone(flight));
        }
        let flight = Arc::new(Flight::new(*digest));
        flights.insert(key.clone(), Arc::clone(&flight));
        let download = Download {
            flight: Arc::clone(&flight),
            mirror: Arc::clone(self),
            from,
            into: repository.clone(),
        };
        let (flights, downloads) = (Arc::clone(&self.flights), Arc::clone(&self.downloads));
        // Clients come and go; it goes on.
        tokio::spawn(async move {
            let _permit = downloads.acquire_owned().await;
            download.run().await;
            flights.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
        });
        Ok(flight)
    }

    /// How long the blob is, as soon as upstream has told; one without any byte is awaited.
    async fn size_of(&self, flight: &Flight) -> Result<u64> {
        let mut progress = flight.follow();
        let is_known = |stage: &Stage| !matches!(stage, Stage::Asking | Stage::Arriving { size: 0 });
        let stage = match progress.wait_for(|progress| is_known(&progress.stage)).await {
            Ok(progress) => progress.stage.clone(),
            Err(_) => return Err(Error::NotFound),
        };
        match stage {
            Stage::Arriving { size } | Stage::Stored { size } => Ok(size),
            Stage::Failed(error) => Err(error),
            Stage::Asking => Err(Error::NotFound),
        }
    }
}

/// The part of a blob of this size that a range names, and where it begins and ends.
pub(super) fn part(
    range: Option<ByteRange>,
    size: u64,
) -> Result<(Option<std::ops::RangeInclusive<u64>>, u64, u64)> {
    let Some(range) = range else { return Ok((None, 0, size)) };
    let part = range.resolve(size).ok_or(Error::RangeNotSatisfiable { size })?;
    let (first, last) = (*part.start(), *part.end());
    Ok((Some(part), first, last + 1))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use bytes::Bytes;
    use futures::{StreamExt as _, TryStreamExt as _, future::join_all};

    use super::*;
    use crate::mirror::testing::{Fixture, not_found};

    /// More than a window, and not all the same.
    fn large() -> Vec<u8> {
        (0..8 << 20).map(|at: u32| at.to_le_bytes()[0] ^ at.to_le_bytes()[2]).collect()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn many_who_ask_at_once_get_it_from_one_request() {
        let fixture = Fixture::new();
        let digest = fixture.fake.put_blob(large());
        let pulled = join_all((0..20).map(|_| fixture.pull(&digest))).await;
        for content in pulled {
            assert!(content.unwrap() == large());
        }
        assert_eq!(fixture.fake.asked(), ["GET app blob from 0"]);
        let stored = fixture.app().blobs().open(&digest, None).await.unwrap();
        assert_eq!(stored.size, 8 << 20);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_comes_late_reads_what_is_stored_and_who_leaves_stops_nobody() {
        let fixture = Fixture::new();
        let digest = fixture.fake.put_blob(large());
        fixture.fake.halts.store(true, Ordering::SeqCst);
        let mut first = fixture.mirror.open_blob(&fixture.app(), &digest, None).await.unwrap().body;
        let mut read = 0;
        while read < (4 << 20) {
            read += first.next().await.unwrap().unwrap().len();
        }
        drop(first);
        let late = fixture.pull(&digest);
        let (late, ()) = tokio::join!(late, async { fixture.fake.go_on.notify_one() });
        assert!(late.unwrap() == large());
        assert_eq!(fixture.fake.asked().len(), 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_comes_late_to_a_storage_that_cannot_read_yet_is_given_what_has_come_at_once() {
        let fixture = Fixture::in_memory();
        let digest = fixture.fake.put_blob(large());
        fixture.fake.halts.store(true, Ordering::SeqCst);
        let mut first = fixture.mirror.open_blob(&fixture.app(), &digest, None).await.unwrap().body;
        read_half(&mut first).await;
        let mut late = fixture.mirror.open_blob(&fixture.app(), &digest, None).await.unwrap().body;
        let came = read_half(&mut late).await;
        fixture.fake.go_on.notify_one();
        for (mut body, mut came) in [(first, came.clone()), (late, came)] {
            while let Some(piece) = body.next().await {
                came.extend(piece.unwrap());
            }
            assert!(came == large());
        }
        assert_eq!(fixture.fake.asked().len(), 1);
    }

    async fn read_half(body: &mut Body) -> Vec<u8> {
        let mut came = Vec::new();
        while came.len() < (4 << 20) {
            came.extend(body.next().await.unwrap().unwrap());
        }
        came
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_part_far_ahead_of_what_has_come_is_asked_for_by_itself() {
        let fixture = Fixture::new();
        let content = large().repeat(4);
        let digest = fixture.fake.put_blob(content.clone());
        fixture.fake.halts.store(true, Ordering::SeqCst);
        let first = (30 << 20) + 5;
        let range = Some(ByteRange::FromTo { first, last: first + 9 });
        let part = fixture.mirror.open_blob(&fixture.app(), &digest, range).await.unwrap();
        let part = part.body.try_collect::<Vec<Bytes>>().await.unwrap().concat();
        let at = usize::try_from(first).unwrap();
        assert_eq!(part, content[at..at + 10]);
        fixture.fake.go_on.notify_one();
        assert!(fixture.pull(&digest).await.unwrap() == content);
        assert_eq!(fixture.fake.asked(), ["GET app blob from 0", &format!("GET app blob from {first}")]);
    }

    #[tokio::test]
    async fn what_broke_off_goes_on_where_it_stopped() {
        let fixture = Fixture::new();
        let digest = fixture.fake.put_blob("0123456789");
        *fixture.fake.breaks_after.lock().unwrap() = Some(6);
        assert_eq!(fixture.pull(&digest).await.unwrap(), b"0123456789");
        assert_eq!(fixture.fake.asked(), ["GET app blob from 0", "GET app blob from 6"]);
    }

    #[tokio::test]
    async fn what_has_the_wrong_digest_is_never_whole_and_not_kept() {
        let fixture = Fixture::new();
        let digest = Digest::sha256([7; 32]);
        fixture.fake.blobs.lock().unwrap().insert(digest, Bytes::from_static(b"not what it should be"));
        let mut body = fixture.mirror.open_blob(&fixture.app(), &digest, None).await.unwrap().body;
        let (mut length, mut failure) = (0, None);
        while let Some(piece) = body.next().await {
            match piece {
                Ok(piece) => length += piece.len(),
                Err(error) => failure = Some(error),
            }
            if failure.is_some() {
                break;
            }
        }
        assert!(failure.is_some() && length < 21, "{length}");
        assert!(fixture.app().blobs().head(&digest).await.is_err());
    }

    #[tokio::test]
    async fn a_part_is_served_while_the_whole_is_stored() {
        let fixture = Fixture::new();
        let digest = fixture.fake.put_blob("0123456789");
        let range = Some(ByteRange::FromTo { first: 3, last: 5 });
        let part = fixture.mirror.open_blob(&fixture.app(), &digest, range).await.unwrap();
        assert_eq!((part.size, part.range), (10, Some(3..=5)));
        assert_eq!(part.body.try_collect::<Vec<Bytes>>().await.unwrap().concat(), b"345");
        let beyond = fixture.mirror.open_blob(&fixture.app(), &digest, Some(ByteRange::From(10))).await;
        assert!(matches!(beyond, Err(Error::RangeNotSatisfiable { size: 10 })));
    }

    #[tokio::test]
    async fn a_head_asks_upstream_and_fetches_nothing() {
        let fixture = Fixture::new();
        let digest = fixture.fake.put_blob("0123456789");
        assert_eq!(fixture.mirror.head_blob(&fixture.app(), &digest).await.unwrap().size, 10);
        assert_eq!(fixture.fake.asked(), ["HEAD app blob"]);
    }

    #[tokio::test]
    async fn what_upstream_has_in_two_repositories_is_fetched_once() {
        let fixture = Fixture::new();
        let digest = fixture.fake.put_blob("0123456789");
        fixture.pull(&digest).await.unwrap();
        let other = fixture.registry.repository("hub/other".parse().unwrap());
        let blob = fixture.mirror.open_blob(&other, &digest, None).await.unwrap();
        assert_eq!(blob.body.try_collect::<Vec<Bytes>>().await.unwrap().concat(), b"0123456789");
        assert_eq!(fixture.fake.asked(), ["GET app blob from 0", "HEAD other blob"]);
    }

    #[tokio::test]
    async fn content_of_another_repository_is_not_shown_without_upstreams_word() {
        let fixture = Fixture::new();
        let digest = fixture.fake.put_blob("0123456789");
        fixture.pull(&digest).await.unwrap();
        *fixture.fake.trouble.lock().unwrap() = Some(not_found());
        let other = fixture.registry.repository("hub/other".parse().unwrap());
        assert!(matches!(fixture.mirror.open_blob(&other, &digest, None).await, Err(Error::NotFound)));
    }

    #[tokio::test]
    async fn an_empty_blob_is_proven_like_any_other() {
        let fixture = Fixture::new();
        let digest = fixture.fake.put_blob("");
        assert_eq!(fixture.pull(&digest).await.unwrap(), b"");
        assert!(fixture.app().blobs().head(&digest).await.is_ok());
    }
}
