//! Manifests: a digest is fetched once, and a tag is held against that of upstream when it was not for a while.

use std::{sync::Arc, time::Duration};

use berth_oci::{Digest, Reference, Tag};
use tokio::time::timeout;

use super::{Error, Mirror, Result};
use crate::{
    metrics::Pulled,
    repository::{self, Address, ManifestPush, Precondition, Repository, StoredManifest},
    upstream::Manifest,
};

/// How long upstream may think about a tag while there is an older answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a mirror has of a manifest.
#[derive(Debug)]
pub enum Found {
    /// The repository has it.
    Stored(Freshly),
    /// It cannot be stored at the moment; this is it.
    Passing(StoredManifest),
}

/// Whether what is stored is known to be that of upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshly {
    /// It is, or was a short time ago.
    Fresh,
    /// Upstream does not say so at the moment.
    Stale,
    /// Upstream is not asked, because the mirror is offline.
    Offline,
}

impl Mirror {
    /// Whether the tag need not be held against upstream's now.
    pub fn is_fresh(&self, repository: &Repository, tag: &Tag) -> bool {
        self.tags.is_fresh(&(repository.name().clone(), tag.clone()))
    }

    /// Counts a manifest that was served without a question.
    pub fn note_stored_manifest(&self, bytes: u64) {
        self.metrics.asked(Pulled::Manifest, true);
        self.metrics.pushed(Pulled::Manifest, bytes);
    }

    /// Counts a manifest that was served.
    pub fn note_served_manifest(&self, bytes: u64) {
        self.metrics.pushed(Pulled::Manifest, bytes);
    }

    /// Sees to it that the repository has the manifest, as upstream has it.
    pub async fn bring(&self, repository: &Repository, reference: &Reference) -> Result<Found> {
        match reference {
            Reference::Digest(digest) => self.bring_digest(repository, digest).await,
            Reference::Tag(tag) => self.bring_tag(repository, tag).await,
        }
    }

    async fn bring_digest(&self, repository: &Repository, digest: &Digest) -> Result<Found> {
        let is_stored = has(repository, digest).await?;
        self.metrics.asked(Pulled::Manifest, is_stored);
        if is_stored {
            return Ok(Found::Stored(Freshly::Fresh));
        }
        self.check_online()?;
        let key = (repository.name().clone(), *digest);
        let Some(_turn) = self.fetches.turn(&key).await else { return Ok(Found::Stored(Freshly::Fresh)) };
        let found = self.fetch(repository, &(*digest).into(), &[]).await?;
        self.fetches.note(&key);
        Ok(found)
    }

    async fn bring_tag(&self, repository: &Repository, tag: &Tag) -> Result<Found> {
        let key = (repository.name().clone(), tag.clone());
        let turn = if self.tags.is_fresh(&key) { None } else { self.tags.turn(&key).await };
        let known = self.known(repository, tag).await?;
        self.metrics.asked(Pulled::Manifest, known.is_some());
        if turn.is_none() && known.is_some() {
            return Ok(Found::Stored(Freshly::Fresh));
        }
        match self.renew(repository, tag, known.as_ref()).await {
            Ok(found) => {
                self.tags.note(&key);
                Ok(found)
            }
            Err(error) if known.is_some() && error.excuses_stale() => {
                self.metrics.served_stale(self.upstream());
                tracing::debug!(repository = %repository.name(), %tag, %error, "a tag is served as it was");
                Ok(Found::Stored(if self.offline { Freshly::Offline } else { Freshly::Stale }))
            }
            Err(error) => Err(error),
        }
    }

    /// What the tag leads to here, if that is there.
    async fn known(&self, repository: &Repository, tag: &Tag) -> Result<Option<Digest>> {
        match repository.manifests().get(&tag.clone().into()).await {
            Ok(manifest) => Ok(Some(manifest.digest)),
            Err(repository::Error::ManifestUnknown(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Holds the tag against upstream's, and brings what that leads to.
    async fn renew(&self, repository: &Repository, tag: &Tag, known: Option<&Digest>) -> Result<Found> {
        self.check_online()?;
        let reference = Reference::Tag(tag.clone());
        let Some(known) = known else {
            return self.fetch(repository, &reference, std::slice::from_ref(tag)).await;
        };
        if let Some(left) = self.rest.left() {
            return Err(Error::RateLimited { retry_after: Some(left) });
        }
        let name = self.name_there(repository.name())?;
        let asked = timeout(PATIENCE, self.source.head_manifest(&name, &reference, Some(known))).await;
        let Ok(answer) = asked else {
            self.rest.begin(None, false);
            return Err(Error::RateLimited { retry_after: None });
        };
        let Some(head) = self.heard(answer)? else { return Ok(Found::Stored(Freshly::Fresh)) };
        let tags = std::slice::from_ref(tag);
        match head.digest {
            Some(digest) => self.fetch(repository, &digest.into(), tags).await,
            None => self.fetch(repository, &reference, tags).await,
        }
    }

    /// Takes a manifest from upstream, or from here, into the repository and gives it these tags.
    async fn fetch(&self, repository: &Repository, reference: &Reference, tags: &[Tag]) -> Result<Found> {
        let name = self.name_there(repository.name())?;
        let stored = match reference {
            Reference::Digest(_) => repository.manifests().get(reference).await.ok(),
            Reference::Tag(_) => None,
        };
        let manifest = if let Some(stored) = stored {
            stored
        } else {
            let Manifest { bytes, media_type, digest } =
                self.heard(self.source.manifest(&name, reference).await)?;
            self.metrics.pulls(Pulled::Manifest).note_pulled(bytes.len() as u64);
            StoredManifest { digest, media_type, bytes }
        };
        let push = ManifestPush {
            bytes: manifest.bytes.clone(),
            media_type: Some(manifest.media_type.clone()),
            address: Address::Exactly(manifest.digest),
            tags: tags.to_vec(),
            precondition: Precondition::default(),
        };
        match repository.manifests().push(push).await.map_err(Error::from) {
            Ok(_) => Ok(Found::Stored(Freshly::Fresh)),
            Err(error) if error.is_refusal_of_storage() => Ok(Found::Passing(manifest)),
            Err(error) => Err(error),
        }
    }

    /// Takes a manifest in that nobody has asked for yet, if it is not here.
    pub(super) async fn bring_quietly(&self, repository: &Repository, reference: &Reference) -> Result<()> {
        self.bring(repository, reference).await.map(drop)
    }
}

async fn has(repository: &Repository, digest: &Digest) -> Result<bool> {
    match repository.manifests().get(&(*digest).into()).await {
        Ok(_) => Ok(true),
        Err(repository::Error::ManifestUnknown(_)) => Ok(false),
        Err(error) => Err(Error::Storage(Arc::new(error))),
    }
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;

    use super::*;
    use crate::mirror::testing::{Fixture, not_found, rate_limited, unavailable};

    fn latest() -> Reference {
        "latest".parse().unwrap()
    }

    async fn bring(fixture: &Fixture) -> Freshly {
        match fixture.mirror.bring(&fixture.app(), &latest()).await.unwrap() {
            Found::Stored(freshly) => freshly,
            Found::Passing(_) => panic!("it was not stored"),
        }
    }

    async fn digest_here(fixture: &Fixture) -> Digest {
        fixture.app().manifests().get(&latest()).await.unwrap().digest
    }

    #[tokio::test]
    async fn a_tag_is_fetched_once_and_then_held_against_upstreams() {
        let fixture = Fixture::new();
        let first = fixture.fake.put_manifest("latest", "1");
        for _ in 0..2 {
            assert_eq!(bring(&fixture).await, Freshly::Fresh);
        }
        assert_eq!(fixture.fake.asked(), ["GET app:latest", "HEAD app:latest"]);
        assert_eq!(digest_here(&fixture).await, first);
        let second = fixture.fake.put_manifest("latest", "2");
        bring(&fixture).await;
        assert_eq!(fixture.fake.asked(), ["HEAD app:latest".to_owned(), format!("GET app:{second}")]);
        assert_eq!(digest_here(&fixture).await, second);
    }

    #[tokio::test]
    async fn within_its_ttl_a_tag_is_believed() {
        let fixture = Fixture::with(|mirror| mirror.ttl = Duration::from_mins(1));
        fixture.fake.put_manifest("latest", "1");
        join_all((0..10).map(|_| bring(&fixture))).await;
        assert_eq!(fixture.fake.asked(), ["GET app:latest"]);
    }

    #[tokio::test]
    async fn a_digest_is_never_asked_for_again() {
        let fixture = Fixture::new();
        let reference = fixture.fake.put_manifest("latest", "1").into();
        for _ in 0..2 {
            let found = fixture.mirror.bring(&fixture.app(), &reference).await.unwrap();
            assert!(matches!(found, Found::Stored(Freshly::Fresh)));
        }
        assert_eq!(fixture.fake.asked().len(), 1);
    }

    #[tokio::test]
    async fn an_old_answer_stands_in_for_an_upstream_that_gives_none() {
        for trouble in [unavailable(), rate_limited(60)] {
            let fixture = Fixture::new();
            fixture.fake.put_manifest("latest", "1");
            bring(&fixture).await;
            *fixture.fake.trouble.lock().unwrap() = Some(trouble);
            fixture.fake.asked();
            for _ in 0..3 {
                assert_eq!(bring(&fixture).await, Freshly::Stale);
            }
            assert_eq!(fixture.fake.asked(), ["HEAD app:latest"], "it is left alone for a while");
        }
    }

    #[tokio::test]
    async fn what_is_gone_at_the_upstream_is_gone_here() {
        let fixture = Fixture::new();
        fixture.fake.put_manifest("latest", "1");
        bring(&fixture).await;
        *fixture.fake.trouble.lock().unwrap() = Some(not_found());
        assert!(matches!(fixture.mirror.bring(&fixture.app(), &latest()).await, Err(Error::NotFound)));
    }

    #[tokio::test]
    async fn a_limit_that_upstream_names_is_told_to_who_has_nothing() {
        let fixture = Fixture::new();
        *fixture.fake.trouble.lock().unwrap() = Some(rate_limited(60));
        for _ in 0..2 {
            let refused = fixture.mirror.bring(&fixture.app(), &latest()).await;
            assert!(matches!(refused, Err(Error::RateLimited { retry_after: Some(_) })));
        }
        assert_eq!(fixture.fake.asked().len(), 1);
    }

    #[tokio::test]
    async fn a_limit_of_manifests_is_none_of_blobs() {
        let fixture = Fixture::new();
        let blob = fixture.fake.put_blob("0123456789");
        *fixture.fake.trouble.lock().unwrap() = Some(rate_limited(60));
        assert!(fixture.mirror.bring(&fixture.app(), &latest()).await.is_err());
        *fixture.fake.trouble.lock().unwrap() = None;
        assert_eq!(fixture.pull(&blob).await.unwrap(), b"0123456789");
    }

    #[tokio::test]
    async fn offline_nothing_is_asked() {
        let fixture = Fixture::with(|mirror| mirror.offline = true);
        fixture.fake.put_manifest("latest", "1");
        assert!(matches!(fixture.mirror.bring(&fixture.app(), &latest()).await, Err(Error::Offline)));
        assert!(fixture.fake.asked().is_empty());
    }

    #[tokio::test]
    async fn a_storage_that_takes_nothing_in_is_passed_by() {
        let fixture = Fixture::new();
        let digest = fixture.fake.put_manifest("latest", "1");
        fixture.registry.set_rules(repository::Rules { read_only: true, ..Default::default() });
        match fixture.mirror.bring(&fixture.app(), &latest()).await.unwrap() {
            Found::Passing(manifest) => assert_eq!(manifest.digest, digest),
            Found::Stored(_) => panic!("it was stored"),
        }
        let blob = fixture.fake.put_blob("0123456789");
        assert_eq!(fixture.pull(&blob).await.unwrap(), b"0123456789");
    }
}
