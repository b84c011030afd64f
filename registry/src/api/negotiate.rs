//! Which manifest a client gets under a tag: an index is only for clients that accept one; others get the image of
//! the most common platform, as they have always done. A client that knows manifests, but none of OCI, does not get
//! one of OCI. Who asks by digest knows what it is.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, StatusCode, header::ACCEPT, request::Parts},
};
use berth_oci::{Descriptor, Digest, ErrorCode, Manifest, MediaType, Reference};
use memchr::memchr_iter;

use super::{
    Api,
    error::{Error, Result},
};
use crate::repository::{Repository, StoredManifest};

/// The lines of `Accept`; a client that sends none takes everything.
#[derive(Debug)]
pub(super) struct Accepted(Vec<HeaderValue>);

impl Accepted {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        Self(headers.get_all(ACCEPT).iter().cloned().collect())
    }

    fn accepts_any_of(&self, types: &[&str]) -> bool {
        name_any_of(self.0.iter(), types)
    }

    /// Whether the client names the very type of the manifest, or any, so that nothing else is looked for.
    pub(super) fn names(&self, stored: &StoredManifest) -> bool {
        self.accepts_any_of(&[stored.media_type.essence()])
    }

    /// Whether the client names kinds of manifests, and not this one of OCI. What is older than OCI is sent to
    /// everybody, as Distribution does.
    fn excludes(&self, stored: &StoredManifest) -> bool {
        let known = [
            MediaType::OCI_IMAGE,
            MediaType::OCI_INDEX,
            MediaType::DOCKER_IMAGE,
            MediaType::DOCKER_LIST,
            MediaType::DOCKER_SCHEMA1,
            MediaType::DOCKER_SCHEMA1_SIGNED,
        ];
        let own = stored.media_type.essence();
        [MediaType::OCI_IMAGE, MediaType::OCI_INDEX].contains(&own)
            && self.accepts_any_of(&known)
            && !self.accepts_any_of(&[own, "*/*", "application/*"])
    }

    /// Whether the client wants an image where there is an index of images.
    fn wants_image_of(&self, stored: &StoredManifest) -> bool {
        let indexes = [MediaType::OCI_INDEX, MediaType::DOCKER_LIST, "*/*", "application/*"];
        let images = [MediaType::OCI_IMAGE, MediaType::DOCKER_IMAGE];
        stored.media_type.is_index() && !self.accepts_any_of(&indexes) && self.accepts_any_of(&images)
    }
}

/// Whether a client with these headers names this very type, which has no parameters, or any. Nothing is kept of them for that.
pub(super) fn is_named(headers: &HeaderMap, essence: &str) -> bool {
    name_any_of(headers.get_all(ACCEPT).iter(), &[essence])
}

/// Whether lines of `Accept` name one of these types, or nothing at all.
fn name_any_of<'a>(lines: impl Iterator<Item = &'a HeaderValue>, types: &[&str]) -> bool {
    let mut name_nothing = true;
    for part in lines.flat_map(|line| parts(line.as_bytes())) {
        let part = part.trim_ascii();
        name_nothing &= part.is_empty();
        if types.iter().any(|own| is_of_type(part, own)) {
            return true;
        }
    }
    name_nothing
}

/// What stands between the commas. Clients send lines of hundreds of bytes, in which `memchr` finds a comma many times as fast as
/// a look at each byte.
fn parts(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut begin = 0;
    memchr_iter(b',', line).chain([line.len()]).map(move |comma| {
        let part = &line[begin..comma];
        begin = comma + 1;
        part
    })
}

/// Whether a media type, which may have parameters, is this one.
fn is_of_type(part: &[u8], own: &str) -> bool {
    let rest = part.strip_prefix(own.as_bytes()).map(<[u8]>::trim_ascii_start);
    rest.is_some_and(|rest| matches!(rest.first(), None | Some(b';')))
}

impl FromRequestParts<Api> for Accepted {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self> {
        Ok(Self::of(&parts.headers))
    }
}

/// What the client gets in place of the manifest that was found. Under a digest there is only one form.
pub(super) async fn fit(
    repository: &Repository,
    reference: &Reference,
    accepted: &Accepted,
    found: StoredManifest,
) -> Result<StoredManifest> {
    if matches!(reference, Reference::Digest(_)) || accepted.names(&found) {
        return Ok(found);
    }
    let fitting = match image_instead(reference, accepted, &found) {
        Some(digest) => repository.manifests().get(&digest.into()).await?,
        None => found,
    };
    if accepted.excludes(&fitting) {
        let told = format!("{reference} is of the type {}, which Accept does not name", fitting.media_type);
        return Err(Error::new(StatusCode::NOT_FOUND, ErrorCode::ManifestUnknown, told));
    }
    Ok(fitting)
}

/// The image that the client gets in place of the index that was found.
pub(super) fn image_instead(
    reference: &Reference,
    accepted: &Accepted,
    found: &StoredManifest,
) -> Option<Digest> {
    let is_exact = matches!(reference, Reference::Digest(_)) || accepted.names(found);
    if is_exact || !accepted.wants_image_of(found) { None } else { default_image(found) }
}

/// The digest of the image for Linux on AMD64 in an index.
fn default_image(index: &StoredManifest) -> Option<Digest> {
    let index = Manifest::parse(&index.bytes, Some(&index.media_type)).ok()?;
    let is_default = |child: &&Descriptor| {
        let platform = child.platform.as_ref();
        platform.is_some_and(|platform| platform.os == "linux" && platform.architecture == "amd64")
    };
    index.manifests().iter().find(is_default).map(|child| child.digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(lines: &[&'static str]) -> Accepted {
        let line = |line: &&'static str| (ACCEPT, HeaderValue::from_static(line));
        Accepted::of(&lines.iter().map(line).collect())
    }

    #[test]
    fn media_types_may_come_in_one_line_or_in_several() {
        let accepted = accepted(&["a/b;q=0.5, c/d", "e/f ; x=y"]);
        for named in ["a/b", "c/d", "e/f"] {
            assert!(accepted.accepts_any_of(&["x/y", named]), "{named}");
        }
        for other in ["a", "a/", "a/b2", "/d", "x=y", "0.5"] {
            assert!(!accepted.accepts_any_of(&[other]), "{other}");
        }
    }

    #[test]
    fn a_client_that_names_no_type_takes_everything() {
        assert!(accepted(&[]).accepts_any_of(&["a/b"]));
        assert!(accepted(&["", " , "]).accepts_any_of(&["a/b"]));
        assert!(!accepted(&["c/d"]).accepts_any_of(&["a/b"]));
    }
}
