//! What refers to an image, and which tags there are: as upstream tells, and as is stored when it does not.

use berth_oci::{Digest, Reference, Tag};
use futures::{StreamExt as _, stream};

use super::{Mirror, Result};
use crate::{repository::Repository, upstream::referrers_tag};

/// How many referrers are fetched at once.
const CONCURRENCY: usize = 4;

/// Of so many referrers of one image the manifests are kept.
const MOST_REFERRERS: usize = 256;

impl Mirror {
    /// The tags at the upstream; `None` when it does not tell at the moment, and those that are stored have to do.
    pub async fn tags(&self, repository: &Repository) -> Result<Option<Vec<Tag>>> {
        if self.check_online().is_err() {
            return Ok(None);
        }
        let name = self.name_there(repository.name())?;
        match self.heard(self.source.tags(&name).await) {
            Ok(mut tags) => {
                tags.sort_unstable();
                tags.dedup();
                Ok(Some(tags))
            }
            Err(error) if error.excuses_stale() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sees to it that the repository has what refers to the manifest at the upstream: signatures, attestations. What cannot be
    /// had is left out, since most images have none.
    pub async fn bring_referrers(&self, repository: &Repository, subject: &Digest) {
        let key = (repository.name().clone(), *subject);
        if self.referrers.is_fresh(&key) || self.check_online().is_err() || self.rest.left().is_some() {
            return;
        }
        let Some(_turn) = self.referrers.turn(&key).await else { return };
        let Ok(name) = self.name_there(repository.name()) else { return };
        let Ok(found) = self.heard(self.source.referrers(&name, subject).await) else { return };
        if !found.is_empty()
            && let Some(tag) = referrers_tag(subject)
        {
            // Some manifests do not name their subject, and only the index under this tag does.
            let _there_may_be_none = self.bring_quietly(repository, &Reference::Tag(tag)).await;
        }
        let digests: Vec<Digest> =
            found.iter().map(|referrer| referrer.digest).take(MOST_REFERRERS).collect();
        let brought = stream::iter(digests).map(|digest| async move {
            let brought = self.bring_quietly(repository, &digest.into()).await;
            brought.inspect_err(|error| {
                tracing::debug!(%digest, %error, "a referrer could not be mirrored");
            })
        });
        let brought: Vec<_> = brought.buffer_unordered(CONCURRENCY).collect().await;
        if brought.iter().all(Result::is_ok) {
            self.referrers.note(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use berth_oci::{Descriptor, MediaType};

    use super::*;
    use crate::{
        mirror::testing::{Fixture, unavailable},
        repository::Page,
    };

    #[tokio::test]
    async fn what_refers_to_an_image_comes_with_it() {
        let fixture = Fixture::new();
        let subject = fixture.fake.put_manifest("latest", "1");
        let signature = fixture.fake.put_manifest("signature", "2");
        fixture.fake.referrers.lock().unwrap().push(Descriptor {
            media_type: MediaType::OCI_INDEX.parse().unwrap(),
            digest: signature,
            size: 1,
            urls: None,
            artifact_type: None,
            annotations: None,
            platform: None,
        });
        let app = fixture.app();
        fixture.mirror.bring_referrers(&app, &subject).await;
        assert!(app.manifests().get(&signature.into()).await.is_ok());
        *fixture.fake.trouble.lock().unwrap() = Some(unavailable());
        fixture.mirror.bring_referrers(&app, &subject).await;
        app.referrers().list(&subject, None, &Page::default()).await.unwrap();
    }

    #[tokio::test]
    async fn tags_are_those_of_upstream_and_none_are_told_without_it() {
        let fixture = Fixture::new();
        fixture.fake.put_manifest("b", "1");
        fixture.fake.put_manifest("a", "2");
        let tags = fixture.mirror.tags(&fixture.app()).await.unwrap().unwrap();
        assert_eq!(tags.iter().map(Tag::as_str).collect::<Vec<_>>(), ["a", "b"]);
        *fixture.fake.trouble.lock().unwrap() = Some(unavailable());
        assert_eq!(fixture.mirror.tags(&fixture.app()).await.unwrap(), None);
    }
}
