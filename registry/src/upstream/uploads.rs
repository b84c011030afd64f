//! Blobs that another registry gets.

use berth_oci::{Digest, RepositoryName};
use berth_storage::ByteStream;
use bytes::Bytes;
use hyper::{
    HeaderMap, Method, StatusCode, Uri,
    header::{CONTENT_TYPE, HeaderValue, LOCATION},
};

use super::{Result, Upstream, connections::Content, exchange::Question};

/// An upload that has begun.
#[derive(Clone)]
pub struct Upload {
    /// Where it goes on. It may hold a secret of the registry.
    location: Uri,
}

impl std::fmt::Debug for Upload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upload").field("path", &self.location.path()).finish_non_exhaustive()
    }
}

impl Upstream {
    /// Begins an upload.
    pub async fn start_upload(&self, repository: &RepositoryName) -> Result<Upload> {
        let scope = self.push_scope(repository);
        let path = format!("{}/blobs/uploads/", self.name_of(repository));
        let question = Question::new(Method::POST, self.endpoint(&path)?, &scope);
        let answer = self.exchange().expect(question, &[StatusCode::ACCEPTED], "a place for a blob").await?;
        self.upload(answer.headers())
    }

    /// Takes a blob over from another repository of the same registry. If it does not do that, it begins an upload.
    pub async fn mount(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        from: &RepositoryName,
    ) -> Result<Option<Upload>> {
        let (name, from) = (self.name_of(repository), self.name_of(from));
        let scope = super::scope::Scope::mount(&name, &from);
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("mount", digest.to_string()), ("from", from)])
            .finish();
        let question =
            Question::new(Method::POST, self.endpoint(&format!("{name}/blobs/uploads/?{query}"))?, &scope);
        let expected = [StatusCode::CREATED, StatusCode::ACCEPTED];
        let answer = self.exchange().expect(question, &expected, "a place for a blob").await?;
        if answer.status() == StatusCode::CREATED {
            return Ok(None);
        }
        self.upload(answer.headers()).map(Some)
    }

    /// Sends bytes that follow those that the upload has.
    pub async fn append(
        &self,
        repository: &RepositoryName,
        upload: Upload,
        length: Option<u64>,
        body: ByteStream,
    ) -> Result<Upload> {
        let scope = self.push_scope(repository);
        let question = Question::new(Method::PATCH, upload.location, &scope)
            .with_header(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"))
            .with_content(Content::Stream(length, body));
        let expected = [StatusCode::ACCEPTED, StatusCode::NO_CONTENT];
        let answer = self.exchange().expect(question, &expected, "the upload").await?;
        self.upload(answer.headers())
    }

    /// Sends all bytes, or the rest of them, and ends the upload. The registry verifies the digest.
    pub async fn finish_upload(
        &self,
        repository: &RepositoryName,
        upload: Upload,
        digest: &Digest,
        body: Option<(Option<u64>, ByteStream)>,
    ) -> Result<()> {
        let scope = self.push_scope(repository);
        let content = match body {
            Some((length, body)) => Content::Stream(length, body),
            None => Content::Bytes(Bytes::new()),
        };
        let question = Question::new(Method::PUT, self.with_digest(&upload.location, digest)?, &scope)
            .with_header(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"))
            .with_content(content);
        let expected = [StatusCode::CREATED, StatusCode::NO_CONTENT];
        self.exchange().expect(question, &expected, &format!("the upload of {digest}")).await?;
        Ok(())
    }

    /// Gives an upload up. Registries forget it by themselves if this fails.
    pub async fn cancel_upload(&self, repository: &RepositoryName, upload: Upload) -> Result<()> {
        let scope = self.push_scope(repository);
        let question = Question::new(Method::DELETE, upload.location, &scope);
        self.exchange().expect(question, &[StatusCode::NO_CONTENT], "the upload").await?;
        Ok(())
    }

    fn upload(&self, headers: &HeaderMap) -> Result<Upload> {
        let location = headers.get(LOCATION).and_then(|location| location.to_str().ok());
        let location =
            location.ok_or_else(|| self.invalid("it does not say where the upload goes on".to_owned()))?;
        let asked = self.endpoint("")?;
        Ok(Upload { location: self.exchange().address.resolve(&asked, location)? })
    }

    fn with_digest(&self, location: &Uri, digest: &Digest) -> Result<Uri> {
        let digest = form_urlencoded::Serializer::new(String::new())
            .append_pair("digest", &digest.to_string())
            .finish();
        let target = match location.query() {
            Some(query) => format!("{}?{query}&{digest}", location.path()),
            None => format!("{}?{digest}", location.path()),
        };
        let mut parts = location.clone().into_parts();
        parts.path_and_query = target.parse().ok();
        Uri::from_parts(parts).map_err(|error| self.invalid(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use futures::{StreamExt as _, stream};

    use super::super::testing::{Server, reply};
    use super::*;

    fn app() -> RepositoryName {
        "app".parse().unwrap()
    }

    fn digest() -> Digest {
        format!("sha256:{}", "a".repeat(64)).parse().unwrap()
    }

    fn body(content: &'static [u8]) -> ByteStream {
        stream::iter([Ok(Bytes::from_static(content))]).boxed()
    }

    #[tokio::test]
    async fn a_blob_goes_up_in_pieces_or_at_once() {
        let server = Server::start(|seen| match seen.line.split(' ').next() {
            Some("PUT") => reply(201, &[], ""),
            _ => reply(202, &[("location", "/v2/app/blobs/uploads/1?_state=x")], ""),
        })
        .await;
        let hub = server.anonymous();
        let upload = hub.start_upload(&app()).await.unwrap();
        let upload = hub.append(&app(), upload, None, body(b"be")).await.unwrap();
        hub.finish_upload(&app(), upload, &digest(), Some((Some(3), body(b"gin")))).await.unwrap();
        let digest = format!("sha256%3A{}", "a".repeat(64));
        let expected = [
            "POST /v2/app/blobs/uploads/".to_owned(),
            "PATCH /v2/app/blobs/uploads/1?_state=x".to_owned(),
            format!("PUT /v2/app/blobs/uploads/1?_state=x&digest={digest}"),
        ];
        assert_eq!(server.lines(), expected);
        let seen = server.seen();
        assert_eq!((seen[1].body.as_ref(), seen[2].body.as_ref()), (&b"be"[..], &b"gin"[..]));
        let length = |at: usize| seen[at].header("content-length").map(str::to_owned);
        assert_eq!([length(0), length(1), length(2)], [Some("0".to_owned()), None, Some("3".to_owned())]);
    }

    #[tokio::test]
    async fn a_mount_may_turn_into_an_upload() {
        let server = Server::start(|seen| {
            let status = if seen.line.contains("from=has") { 201 } else { 202 };
            reply(status, &[("location", "/v2/app/blobs/uploads/1")], "")
        })
        .await;
        let hub = server.anonymous();
        assert!(hub.mount(&app(), &digest(), &"has".parse().unwrap()).await.unwrap().is_none());
        assert!(hub.mount(&app(), &digest(), &"lacks".parse().unwrap()).await.unwrap().is_some());
    }
}
