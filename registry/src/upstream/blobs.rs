//! Blobs of another registry.

use berth_oci::{Digest, RepositoryName};
use berth_storage::ByteStream;
use hyper::{
    HeaderMap, Method, StatusCode,
    header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, HeaderValue, RANGE},
};

use super::{
    Error, Result, Upstream,
    exchange::Question,
    manifests::header,
    silence::{pieces, without_first},
};

/// The bytes of a blob from some byte on. Whether they have its digest is left to whoever takes them.
pub struct Blob {
    /// How many bytes the whole blob has, which some registries do not tell.
    pub size: Option<u64>,
    /// Its bytes. Silence, and an answer that breaks off, end them with an error.
    pub body: ByteStream,
}

impl std::fmt::Debug for Blob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Blob").field("size", &self.size).finish_non_exhaustive()
    }
}

impl Upstream {
    /// How long a blob is, if the registry tells, which has to have it.
    pub async fn head_blob(&self, repository: &RepositoryName, digest: &Digest) -> Result<Option<u64>> {
        let scope = self.pull_scope(repository);
        let path = format!("{}/blobs/{digest}", self.name_of(repository));
        let question = Question::new(Method::HEAD, self.endpoint(&path)?, &scope);
        let answer = self.exchange().expect(question, &[StatusCode::OK], &blob(digest)).await?;
        Ok(header(answer.headers(), &CONTENT_LENGTH))
    }

    /// A blob from the byte `from` on.
    pub async fn blob(&self, repository: &RepositoryName, digest: &Digest, from: u64) -> Result<Blob> {
        let scope = self.pull_scope(repository);
        let path = format!("{}/blobs/{digest}", self.name_of(repository));
        let mut question = Question::new(Method::GET, self.endpoint(&path)?, &scope)
            .with_header(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if from > 0 {
            let range = HeaderValue::try_from(format!("bytes={from}-"));
            question = question.with_header(RANGE, range.map_err(|error| self.invalid(error.to_string()))?);
        }
        let expected = [StatusCode::OK, StatusCode::PARTIAL_CONTENT];
        let answer = self.exchange().expect(question, &expected, &blob(digest)).await?;
        let (head, body) = answer.into_parts();
        if head.headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
            return Err(self.invalid(format!("it has compressed {} once more", blob(digest))));
        }
        let (size, begins) = if head.status == StatusCode::PARTIAL_CONTENT {
            let (begins, size) = content_range(&head.headers).ok_or_else(|| {
                self.invalid(format!("it does not say which part of {} it sends", blob(digest)))
            })?;
            (size, begins)
        } else {
            // It does not know ranges, and sends all.
            (header(&head.headers, &CONTENT_LENGTH), 0)
        };
        let Some(superfluous) = from.checked_sub(begins) else {
            return Err(self.invalid(format!("it sends {} from byte {begins} on, not {from}", blob(digest))));
        };
        let body = pieces(body, self.exchange().connections.silence());
        Ok(Blob { size, body: if superfluous > 0 { without_first(body, superfluous) } else { body } })
    }

    /// Whether the repository has the blob.
    pub async fn has_blob(&self, repository: &RepositoryName, digest: &Digest) -> Result<bool> {
        match self.head_blob(repository, digest).await {
            Ok(_) => Ok(true),
            Err(Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn blob(digest: &Digest) -> String {
    format!("the blob {digest}")
}

/// With which byte a part begins, and how long the whole is.
fn content_range(headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
    let (range, size) = headers.get(CONTENT_RANGE)?.to_str().ok()?.strip_prefix("bytes ")?.split_once('/')?;
    let begins = range.split_once('-')?.0.trim().parse().ok()?;
    Some((begins, size.trim().parse().ok()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use futures::{StreamExt as _, TryStreamExt as _, stream};

    use super::super::{
        Settings,
        testing::{self, Server, reply},
    };
    use super::*;
    use crate::repository::digest_of;

    const CONTENT: &[u8] = b"0123456789";

    fn app() -> RepositoryName {
        "app".parse().unwrap()
    }

    fn digest() -> Digest {
        digest_of(berth_oci::Algorithm::Sha256, CONTENT)
    }

    async fn read(blob: Blob) -> std::io::Result<Vec<u8>> {
        Ok(blob.body.try_collect::<Vec<Bytes>>().await?.concat())
    }

    #[tokio::test]
    async fn a_blob_comes_whole_or_from_some_byte_on() {
        let server = Server::start(|seen| match seen.header("range") {
            Some("bytes=4-") => reply(206, &[("content-range", "bytes 4-9/10")], &CONTENT[4..]),
            _ => reply(200, &[], CONTENT),
        })
        .await;
        let hub = server.anonymous();
        for from in [0, 4] {
            let blob = hub.blob(&app(), &digest(), from).await.unwrap();
            assert_eq!(blob.size, Some(10));
            assert_eq!(read(blob).await.unwrap(), CONTENT[usize::try_from(from).unwrap()..]);
        }
    }

    #[tokio::test]
    async fn a_registry_without_ranges_sends_what_is_left_out_here() {
        let server = Server::start(|_| reply(200, &[], CONTENT)).await;
        let blob = server.anonymous().blob(&app(), &digest(), 7).await.unwrap();
        assert_eq!((blob.size, read(blob).await.unwrap().as_slice()), (Some(10), &b"789"[..]));
    }

    #[tokio::test]
    async fn another_part_than_the_one_asked_for_is_refused() {
        let server = Server::start(|_| reply(206, &[("content-range", "bytes 8-9/10")], &CONTENT[8..])).await;
        let blob = server.anonymous().blob(&app(), &digest(), 7).await;
        assert!(matches!(blob, Err(Error::Invalid { .. })), "{blob:?}");
    }

    #[tokio::test]
    async fn credentials_do_not_follow_to_another_host() {
        let cdn = Server::start(|_| reply(200, &[], CONTENT)).await;
        let elsewhere = format!("{}/signed?secret=x", cdn.url());
        let server = Server::start(move |seen| match seen.authorization() {
            None => reply(401, &[("www-authenticate", "Basic")], ""),
            Some(_) => reply(307, &[("location", &elsewhere)], "moved"),
        })
        .await;
        let blob = server.for_ann().blob(&app(), &digest(), 0).await.unwrap();
        assert_eq!(read(blob).await.unwrap(), CONTENT);
        assert_eq!(cdn.lines(), ["GET /signed?secret=x"]);
        assert_eq!(cdn.seen()[0].authorization(), None);
    }

    #[tokio::test]
    async fn what_another_host_asks_for_is_not_answered() {
        let cdn = Server::start(|_| reply(401, &[("www-authenticate", "Basic")], "")).await;
        let elsewhere = format!("{}/blob", cdn.url());
        let server = Server::start(move |_| reply(307, &[("location", &elsewhere)], "")).await;
        let blob = server.for_ann().blob(&app(), &digest(), 0).await;
        assert!(matches!(blob, Err(Error::Unauthorized { .. })), "{blob:?}");
        assert_eq!(cdn.seen().iter().filter_map(testing::Seen::authorization).count(), 0);
    }

    #[tokio::test]
    async fn who_is_sent_in_circles_gives_up() {
        let server = Server::start(|seen| {
            let path = seen.line.split(' ').nth(1).unwrap_or_default();
            reply(302, &[("location", path)], "")
        })
        .await;
        let blob = server.anonymous().blob(&app(), &digest(), 0).await;
        assert!(matches!(blob, Err(Error::Invalid { .. })), "{blob:?}");
    }

    #[tokio::test]
    async fn silence_ends_a_body_and_length_does_not() {
        let server = Server::start(|_| {
            let begin = stream::iter([Ok(Bytes::from_static(b"begin"))]);
            testing::stream(200, &[("content-length", "10")], begin.chain(stream::pending()).boxed())
        })
        .await;
        let settings =
            Settings { silence: Duration::from_millis(200), ..Settings::new(server.url().parse().unwrap()) };
        let blob = Upstream::new(settings).unwrap().blob(&app(), &digest(), 0).await.unwrap();
        assert_eq!(read(blob).await.unwrap_err().kind(), std::io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_no_whole_one() {
        let server = Server::start(|_| {
            let begin = stream::iter([Ok(Bytes::from_static(b"begin"))]);
            let end = stream::once(async {
                // What there is leaves before.
                tokio::task::yield_now().await;
                Err(std::io::Error::other("gone"))
            });
            testing::stream(200, &[("content-length", "10")], begin.chain(end).boxed())
        })
        .await;
        let blob = server.anonymous().blob(&app(), &digest(), 0).await.unwrap();
        assert!(read(blob).await.is_err());
    }

    #[tokio::test]
    async fn what_is_not_there_is_told_from_what_is_forbidden() {
        let server = Server::start(|seen| {
            let is_app = seen.line.starts_with("HEAD /v2/app/");
            reply(if is_app { 404 } else { 403 }, &[], "")
        })
        .await;
        let hub = server.anonymous();
        assert!(!hub.has_blob(&app(), &digest()).await.unwrap());
        let other = hub.has_blob(&"other".parse().unwrap(), &digest()).await;
        assert!(matches!(other, Err(Error::Denied { .. })), "{other:?}");
    }
}
