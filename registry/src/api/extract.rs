//! What the path and the headers of a request say, in types. A value that cannot be read is answered in the words of
//! the specification. The rest of a request is read in `query` and `body`.

use std::str::FromStr;

use axum::{
    extract::{FromRequestParts, OptionalFromRequestParts, RawPathParams},
    http::{
        HeaderMap, HeaderName, Method, StatusCode,
        header::{CONTENT_RANGE, CONTENT_TYPE, IF_NONE_MATCH, RANGE},
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
use crate::auth::Identity;

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

/// The part of a blob that `Range` asks for. One that cannot be read is ignored, as RFC 9110 says.
pub(super) struct Wanted(pub(super) ByteRange);

impl OptionalFromRequestParts<Api> for Wanted {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Option<Self>> {
        Ok(header(&parts.headers, &RANGE).and_then(|range| range.parse().ok()).map(Self))
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

/// The digests that the client has already, from `If-None-Match`.
pub(super) struct Known(Option<String>);

impl Known {
    /// Whether the client has this content; the quotes of the header are forgiven.
    pub(super) fn contains(&self, digest: &Digest) -> bool {
        let Some(tags) = &self.0 else { return false };
        let digest = digest.to_string();
        tags.split(',').map(str::trim).any(|tag| {
            let tag = tag.strip_prefix("W/").unwrap_or(tag);
            tag == "*" || tag.trim_matches('"') == digest
        })
    }
}

impl FromRequestParts<Api> for Known {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self> {
        Ok(Self(header(&parts.headers, &IF_NONE_MATCH).map(str::to_owned)))
    }
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
    use super::*;

    fn known(tags: &str, digest: &str) -> bool {
        Known(Some(tags.to_owned())).contains(&digest.parse().unwrap())
    }

    #[test]
    fn a_known_digest_is_found_with_and_without_quotes() {
        let digest = format!("sha256:{}", "0".repeat(64));
        assert!(known(&digest, &digest));
        assert!(known(&format!("\"{digest}\""), &digest));
        assert!(known(&format!("\"x\", W/\"{digest}\""), &digest));
        assert!(known("*", &digest));
        assert!(!known("\"x\"", &digest));
    }
}
