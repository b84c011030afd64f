//! What the path and the headers of a request say, in types. A value that cannot be read is answered in the words of
//! the specification. The rest of a request is read in `query` and `body`.

use std::str::FromStr;

use axum::{
    extract::{FromRequestParts, OptionalFromRequestParts, RawPathParams},
    http::{
        HeaderMap, HeaderName, Method, StatusCode,
        header::{CONTENT_RANGE, CONTENT_TYPE, IF_MATCH, IF_NONE_MATCH, IF_RANGE, RANGE},
        request::Parts,
    },
};
use berth_oci::{
    ByteRange, ContentRange, Digest, ErrorCode, InvalidReference, MediaType, Reference, RepositoryName,
    UploadId,
};

use super::{
    Api,
    error::{Error, Result},
};
use crate::{
    auth::Identity,
    repository::{Precondition, Targets},
};

/// A word of the path.
pub(super) struct InPath<T>(pub(super) T);

/// A type that is read from the path.
pub(super) trait PathWord: FromStr {
    /// The name of the word in the route table.
    const WORD: &'static str;

    /// What the client is told when the word cannot be read.
    fn refuse(error: Self::Err, method: &Method) -> Error;
}

impl PathWord for RepositoryName {
    const WORD: &'static str = "name";

    fn refuse(error: Self::Err, _: &Method) -> Error {
        Error::bad_request(ErrorCode::NameInvalid, error.to_string())
    }
}

impl PathWord for Digest {
    const WORD: &'static str = "digest";

    fn refuse(error: Self::Err, _: &Method) -> Error {
        Error::bad_request(ErrorCode::DigestInvalid, error.to_string())
    }
}

impl PathWord for UploadId {
    const WORD: &'static str = "upload";

    fn refuse(error: Self::Err, _: &Method) -> Error {
        Error::new(StatusCode::NOT_FOUND, ErrorCode::BlobUploadUnknown, error.to_string())
    }
}

impl PathWord for Reference {
    const WORD: &'static str = "reference";

    /// Nothing can be stored under an invalid tag, so that only a push is told about its form.
    fn refuse(error: Self::Err, method: &Method) -> Error {
        match error {
            InvalidReference::Digest(error) => {
                Error::bad_request(ErrorCode::DigestInvalid, error.to_string())
            }
            InvalidReference::Tag(error) if method == Method::PUT => {
                Error::bad_request(ErrorCode::TagInvalid, error.to_string())
            }
            InvalidReference::Tag(error) => {
                Error::new(StatusCode::NOT_FOUND, ErrorCode::ManifestUnknown, error.to_string())
            }
        }
    }
}

impl<T: PathWord> FromRequestParts<Api> for InPath<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self> {
        let words = RawPathParams::from_request_parts(parts, api)
            .await
            .map_err(|error| Error::bad_request(ErrorCode::NameInvalid, error.to_string()))?;
        let word =
            words.iter().find_map(|(name, word)| (name == T::WORD).then_some(word)).unwrap_or_default();
        word.parse().map(Self).map_err(|error| T::refuse(error, &parts.method))
    }
}

/// Who sends the request. `authenticate` has told it for every path of the registry.
pub(super) struct Sender(pub(super) Identity);

impl FromRequestParts<Api> for Sender {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self> {
        Ok(Self(parts.extensions.get().cloned().unwrap_or(Identity::Anonymous)))
    }
}

/// The part of a blob that `Range` asks for. One that cannot be read, or that has several parts, is ignored, as
/// RFC 9110 allows: the client gets the whole.
pub(super) struct Wanted {
    range: ByteRange,
    /// What the client has already a part of (`If-Range`).
    only_of: Option<String>,
}

impl Wanted {
    pub(super) fn of_request(headers: &HeaderMap) -> Option<Self> {
        let range = header(headers, &RANGE)?.parse().ok()?;
        let only_of = headers.get(IF_RANGE).map(|tag| tag.to_str().unwrap_or_default().to_owned());
        Some(Self { range, only_of })
    }

    /// The range, unless the client has a part of something else. Blobs have no date that `If-Range` could name.
    pub(super) fn of(&self, digest: &Digest) -> Option<ByteRange> {
        let is_wanted = self.only_of.as_deref().is_none_or(|tag| tag == format!("\"{digest}\""));
        is_wanted.then_some(self.range)
    }
}

impl OptionalFromRequestParts<Api> for Wanted {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Option<Self>> {
        Ok(Self::of_request(&parts.headers))
    }
}

/// The place of a chunk in its upload, from `Content-Range`.
pub(super) struct Chunk(pub(super) ContentRange);

impl OptionalFromRequestParts<Api> for Chunk {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Option<Self>> {
        let range = header(&parts.headers, &CONTENT_RANGE).map(str::parse::<ContentRange>).transpose();
        let range = range.map_err(|error| {
            Error::new(StatusCode::RANGE_NOT_SATISFIABLE, ErrorCode::RangeInvalid, error.to_string())
        })?;
        Ok(range.map(Self))
    }
}

/// What the client has already, from `If-None-Match`.
pub(super) struct Known(Option<Targets>);

impl Known {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        Self(targets(headers, &IF_NONE_MATCH))
    }

    /// Whether the client has this content.
    pub(super) fn contains(&self, digest: &Digest) -> bool {
        match &self.0 {
            None => false,
            Some(Targets::Any) => true,
            Some(Targets::OneOf(known)) => known.contains(digest),
        }
    }
}

impl FromRequestParts<Api> for Known {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self> {
        Ok(Self::of(&parts.headers))
    }
}

/// What the client wants to be true before its change, from `If-Match` and `If-None-Match`.
pub(super) struct Expected(pub(super) Precondition);

impl FromRequestParts<Api> for Expected {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self> {
        Ok(Self(Precondition {
            if_match: targets(&parts.headers, &IF_MATCH),
            if_none_match: targets(&parts.headers, &IF_NONE_MATCH),
            only_at: None,
        }))
    }
}

/// The entity tags of all lines of a header; `None` without the header. Tags that are no digests, and so are none of
/// ours, are left out; missing quotes are forgiven.
fn targets(headers: &HeaderMap, name: &HeaderName) -> Option<Targets> {
    headers.contains_key(name).then(|| {
        let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
        let tags: Vec<&str> = lines.flat_map(|line| line.split(',')).map(str::trim).collect();
        if tags.contains(&"*") {
            return Targets::Any;
        }
        let digest = |tag: &&str| tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"').parse().ok();
        Targets::OneOf(tags.iter().filter_map(digest).collect())
    })
}

/// The media type that the client declares.
pub(super) struct Declared(pub(super) MediaType);

impl OptionalFromRequestParts<Api> for Declared {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Option<Self>> {
        let declared = header(&parts.headers, &CONTENT_TYPE).map(str::parse::<MediaType>).transpose();
        let declared =
            declared.map_err(|error| Error::bad_request(ErrorCode::ManifestInvalid, error.to_string()))?;
        Ok(declared.map(Self))
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn known(lines: &[&str]) -> bool {
        let line = |line: &&str| (IF_NONE_MATCH, HeaderValue::from_str(line).unwrap());
        let headers: HeaderMap = lines.iter().map(line).collect();
        Known(targets(&headers, &IF_NONE_MATCH)).contains(&digest())
    }

    fn digest() -> Digest {
        Digest::sha256([0; 32])
    }

    #[test]
    fn a_known_digest_is_found_in_any_line_with_and_without_quotes() {
        let digest = digest().to_string();
        assert!(known(&[&digest]));
        assert!(known(&[&format!("\"{digest}\"")]));
        assert!(known(&[&format!("\"x\", W/\"{digest}\"")]));
        assert!(known(&["\"x\"", &digest]));
        assert!(known(&["*"]));
        assert!(!known(&["\"x\""]));
        assert!(!known(&[]));
    }

    #[test]
    fn a_range_is_wanted_only_of_what_the_client_has_a_part_of() {
        let wanted = |only_of: Option<String>| Wanted { range: ByteRange::From(5), only_of };
        assert!(wanted(None).of(&digest()).is_some());
        assert!(wanted(Some(format!("\"{}\"", digest()))).of(&digest()).is_some());
        for other in [format!("W/\"{}\"", digest()), "Sun, 06 Nov 1994 08:49:37 GMT".to_owned()] {
            assert!(wanted(Some(other)).of(&digest()).is_none());
        }
    }
}
