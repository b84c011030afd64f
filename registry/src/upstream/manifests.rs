//! Manifests of another registry.

use std::time::Duration;

use berth_oci::{Algorithm, Digest, Manifest as Document, MediaType, Reference, RepositoryName};
use bytes::Bytes;
use hyper::{
    HeaderMap, Method, StatusCode,
    header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, IF_NONE_MATCH},
};

use super::{
    Result, Upstream,
    connections::{Content, server},
    exchange::Question,
    refusal::read_whole,
    scope::Scope,
};
use crate::repository::digest_of;

/// Every kind of manifest, for `Accept`: whoever keeps what an image index lists wants it as it is.
pub const EVERY_MANIFEST: &str = "application/vnd.oci.image.index.v1+json, \
    application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.artifact.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.v1+prettyjws;q=0.5, application/json;q=0.2, */*;q=0.1";

/// The longest manifest that is read, as for those that clients push.
const LONGEST: usize = 4 * 1024 * 1024;

const DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
const SUBJECT: HeaderName = HeaderName::from_static("oci-subject");

/// What a registry tells of a manifest without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestHead {
    /// Its digest, which some registries do not tell.
    pub digest: Option<Digest>,
    /// Its kind.
    pub media_type: Option<MediaType>,
    /// Its length in bytes.
    pub size: Option<u64>,
}

/// A manifest whose bytes have its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// What it says.
    pub bytes: Bytes,
    /// Its kind, by what the registry told or by what it says itself.
    pub media_type: MediaType,
    /// Its digest.
    pub digest: Digest,
}

/// What a registry made of a manifest that was put into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PutManifest {
    /// Whether it lists the manifest among the referrers of its subject. If not, a tag has to.
    pub lists_referrers: bool,
}

impl Upstream {
    /// What the registry tells of a manifest; `None` when it is still the one of `if_none_match`.
    ///
    /// `accept` is the value of the header, such as [`EVERY_MANIFEST`].
    pub async fn head_manifest(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
        accept: &str,
        if_none_match: Option<&Digest>,
    ) -> Result<Option<ManifestHead>> {
        let scope = self.pull_scope(repository);
        let mut question = self.about_manifest(Method::HEAD, repository, reference, accept, &scope)?;
        if let Some(known) =
            if_none_match.and_then(|known| HeaderValue::try_from(format!("\"{known}\"")).ok())
        {
            question = question.with_header(IF_NONE_MATCH, known);
        }
        let what = format!("the manifest {repository}:{reference}");
        let expected = [StatusCode::OK, StatusCode::NOT_MODIFIED];
        let answer = self.exchange().expect(question, &expected, &what).await?;
        let head = ManifestHead {
            digest: header(answer.headers(), &DIGEST),
            media_type: header(answer.headers(), &CONTENT_TYPE),
            size: header(answer.headers(), &CONTENT_LENGTH),
        };
        let is_known = if_none_match.is_some() && head.digest.as_ref() == if_none_match;
        Ok((answer.status() == StatusCode::OK && !is_known).then_some(head))
    }

    /// A manifest, whose bytes are verified to have the digest that was asked for, or that the registry told.
    pub async fn manifest(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
        accept: &str,
    ) -> Result<Manifest> {
        let scope = self.pull_scope(repository);
        let question = self.about_manifest(Method::GET, repository, reference, accept, &scope)?;
        let server = server(&question.uri);
        let what = format!("the manifest {repository}:{reference}");
        let answer = self.exchange().expect(question, &[StatusCode::OK], &what).await?;
        let (head, body) = answer.into_parts();
        let bytes = read_whole(&server, body, LONGEST, self.silence()).await?;
        let wanted = match reference {
            Reference::Digest(digest) => Some(*digest),
            Reference::Tag(_) => header(&head.headers, &DIGEST),
        };
        let digest = digest_of(wanted.map_or(Algorithm::Sha256, |it| it.algorithm()), &bytes);
        if wanted.is_some_and(|wanted| wanted != digest) {
            return Err(self.invalid(format!("{what} has the digest {digest}")));
        }
        let told = header(&head.headers, &CONTENT_TYPE).filter(|told: &MediaType| !told.is_generic());
        let media_type = told
            .or_else(|| Document::media_type_of(&bytes))
            .ok_or_else(|| self.invalid(format!("{what} is of no kind that is known")))?;
        Ok(Manifest { bytes, media_type: media_type.without_parameters(), digest })
    }

    /// Puts a manifest into the repository, whose parts have to be there.
    pub async fn put_manifest(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
        media_type: &MediaType,
        bytes: Bytes,
    ) -> Result<PutManifest> {
        let scope = self.push_scope(repository);
        let path = format!("{}/manifests/{reference}", self.name_of(repository));
        let kind = HeaderValue::try_from(media_type.as_str())
            .map_err(|_| self.invalid(format!("{media_type} cannot be sent")))?;
        let question = Question::new(Method::PUT, self.endpoint(&path)?, &scope)
            .with_header(CONTENT_TYPE, kind)
            .with_content(Content::Bytes(bytes));
        let what = format!("a place for the manifest {repository}:{reference}");
        let expected = [StatusCode::CREATED, StatusCode::OK, StatusCode::ACCEPTED];
        let answer = self.exchange().expect(question, &expected, &what).await?;
        Ok(PutManifest { lists_referrers: answer.headers().contains_key(SUBJECT) })
    }

    fn about_manifest<'a>(
        &self,
        method: Method,
        repository: &RepositoryName,
        reference: &Reference,
        accept: &str,
        scope: &'a Scope,
    ) -> Result<Question<'a>> {
        let path = format!("{}/manifests/{reference}", self.name_of(repository));
        let accept = HeaderValue::try_from(accept)
            .map_err(|_| self.invalid("the kinds that are asked for cannot be sent".to_owned()))?;
        Ok(Question::new(method, self.endpoint(&path)?, scope).with_header(ACCEPT, accept))
    }

    fn silence(&self) -> Duration {
        self.exchange().connections.silence()
    }
}

/// A header that can be read.
pub(super) fn header<T: std::str::FromStr>(headers: &HeaderMap, name: &HeaderName) -> Option<T> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::{
        Error,
        testing::{Server, reply},
    };
    use super::*;

    const BYTES: &str = r#"{"schemaVersion":2,"manifests":[]}"#;

    fn app() -> RepositoryName {
        "app".parse().unwrap()
    }

    fn digest() -> Digest {
        digest_of(Algorithm::Sha256, BYTES.as_bytes())
    }

    fn latest() -> Reference {
        "latest".parse().unwrap()
    }

    #[tokio::test]
    async fn a_manifest_has_the_digest_that_was_asked_for() {
        let server = Server::start(|_| reply(200, &[("content-type", MediaType::OCI_INDEX)], BYTES)).await;
        let hub = server.anonymous();
        for reference in [latest(), digest().into()] {
            let manifest = hub.manifest(&app(), &reference, EVERY_MANIFEST).await.unwrap();
            assert_eq!((manifest.digest, manifest.bytes.as_ref()), (digest(), BYTES.as_bytes()));
            assert!(manifest.media_type.is_index());
        }
        let other = digest_of(Algorithm::Sha256, b"other").into();
        let wrong = hub.manifest(&app(), &other, EVERY_MANIFEST).await;
        assert!(matches!(wrong, Err(Error::Invalid { .. })), "{wrong:?}");
    }

    #[tokio::test]
    async fn a_manifest_by_tag_has_the_digest_that_the_registry_tells() {
        let other = digest_of(Algorithm::Sha256, b"other").to_string();
        let server = Server::start(move |_| {
            reply(200, &[("content-type", MediaType::OCI_INDEX), ("docker-content-digest", &other)], BYTES)
        })
        .await;
        let wrong = server.anonymous().manifest(&app(), &latest(), EVERY_MANIFEST).await;
        assert!(matches!(wrong, Err(Error::Invalid { .. })), "{wrong:?}");
    }

    #[tokio::test]
    async fn what_is_still_the_same_is_not_told_again() {
        let told = digest().to_string();
        let server = Server::start(move |seen| {
            // As Docker Hub does, this one takes no notice of the condition.
            assert!(seen.header("if-none-match").is_none_or(|known| known.starts_with("\"sha256:")));
            reply(200, &[("docker-content-digest", &told), ("content-type", MediaType::OCI_INDEX)], "")
        })
        .await;
        let hub = server.anonymous();
        let head = hub.head_manifest(&app(), &latest(), EVERY_MANIFEST, None).await.unwrap().unwrap();
        assert_eq!(head.digest, Some(digest()));
        assert_eq!(
            hub.head_manifest(&app(), &latest(), EVERY_MANIFEST, Some(&digest())).await.unwrap(),
            None
        );
    }

    #[tokio::test]
    async fn an_answer_without_end_is_not_read_to_its_end() {
        let server =
            Server::start(|_| reply(200, &[("content-type", MediaType::OCI_INDEX)], vec![b' '; LONGEST + 1]))
                .await;
        let long = server.anonymous().manifest(&app(), &latest(), EVERY_MANIFEST).await;
        assert!(matches!(long, Err(Error::Invalid { .. })), "{long:?}");
    }
}
