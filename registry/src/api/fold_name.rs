//! Makes a repository name one path segment, so that the router can match it.
//!
//! Names contain slashes and stand in the middle of a path: `/v2/a/b/blobs/<digest>` becomes
//! `/v2/a%2Fb/blobs/<digest>`. The router matches the path as it is written and decodes what it captured. The path is
//! split from its end, because names may contain the words of the protocol.

use std::ops::Range;

use axum::{
    body::Body,
    extract::Request,
    http::{Uri, uri::PathAndQuery},
};

const ROOT: &str = "/v2/";

/// Folds the name in the path of a request.
pub(super) fn fold_request(mut request: Request<Body>) -> Request<Body> {
    if let Some(uri) = fold_uri(request.uri()) {
        *request.uri_mut() = uri;
    }
    request
}

/// The URI with its name folded; `None` when there is nothing to fold.
fn fold_uri(uri: &Uri) -> Option<Uri> {
    with_path(uri, fold(uri.path())?)
}

/// The URI with another path.
pub(super) fn with_path(uri: &Uri, mut path: String) -> Option<Uri> {
    if let Some(query) = uri.query() {
        path.push('?');
        path.push_str(query);
    }
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(path).ok()?);
    Uri::from_parts(parts).ok()
}

/// The path with its name folded; `None` when there is nothing to fold.
fn fold(path: &str) -> Option<String> {
    let name = find_name(path)?;
    let folded = path[name.clone()].replace('/', "%2F");
    Some(format!("{}{folded}{}", &path[..name.start], &path[name.end..]))
}

/// The repository name in a path, as it is written there.
pub(super) fn name_in(path: &str) -> Option<&str> {
    find_name(path).map(|name| &path[name])
}

/// Where the repository name stands: between `/v2/` and the last words of the protocol.
fn find_name(path: &str) -> Option<Range<usize>> {
    let rest = path.strip_prefix(ROOT)?;
    let name = match before_extension(rest) {
        Some(name) => name,
        None => rest
            .strip_suffix("/tags/list")
            .or_else(|| before_upload(rest))
            .or_else(|| before_keyword(rest))?,
    };
    (!name.is_empty()).then(|| ROOT.len()..ROOT.len() + name.len())
}

/// What stands before `_berth/` or `_oci/`: nothing, if the extension is one of the whole registry. No component of a
/// name begins with `_`.
fn before_extension(rest: &str) -> Option<&str> {
    let begins_at = |extension: &str| match rest.strip_prefix(extension) {
        Some(_) => Some(""),
        None => rest.split_once(&format!("/{extension}")).map(|(name, _)| name),
    };
    ["_berth/", "_oci/"].into_iter().find_map(begins_at)
}

/// What stands before `/blobs/uploads/` with or without an upload.
fn before_upload(rest: &str) -> Option<&str> {
    let (before, _upload) = rest.rsplit_once('/')?;
    before.strip_suffix("/blobs/uploads")
}

/// What stands before `/blobs/…`, `/manifests/…` or `/referrers/…`.
fn before_keyword(rest: &str) -> Option<&str> {
    let (before, _last) = rest.rsplit_once('/')?;
    ["/blobs", "/manifests", "/referrers"].iter().find_map(|keyword| before.strip_suffix(keyword))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_becomes_one_segment() {
        let table = [
            ("/v2/a/b/blobs/sha256:0", "/v2/a%2Fb/blobs/sha256:0"),
            ("/v2/a/b/c/manifests/latest", "/v2/a%2Fb%2Fc/manifests/latest"),
            ("/v2/a/b/tags/list", "/v2/a%2Fb/tags/list"),
            ("/v2/a/b/referrers/sha256:0", "/v2/a%2Fb/referrers/sha256:0"),
            ("/v2/a/b/blobs/uploads/", "/v2/a%2Fb/blobs/uploads/"),
            ("/v2/a/b/blobs/uploads/1-2", "/v2/a%2Fb/blobs/uploads/1-2"),
            ("/v2/app/manifests/latest", "/v2/app/manifests/latest"),
            ("/v2/a/b/_berth/repository", "/v2/a%2Fb/_berth/repository"),
            ("/v2/a/b/_berth/manifests/x", "/v2/a%2Fb/_berth/manifests/x"),
            ("/v2/a/b/_oci/ext/discover", "/v2/a%2Fb/_oci/ext/discover"),
        ];
        for (path, folded) in table {
            assert_eq!(fold(path).as_deref(), Some(folded), "{path}");
        }
    }

    #[test]
    fn words_of_the_protocol_may_stand_in_a_name() {
        let table = [
            ("/v2/tags/list/tags/list", "tags/list"),
            ("/v2/manifests/manifests/latest", "manifests"),
            ("/v2/blobs/uploads/blobs/uploads/", "blobs/uploads"),
            ("/v2/a/blobs/uploads/manifests/latest", "a/blobs/uploads"),
            ("/v2/a/manifests/blobs/sha256:0", "a/manifests"),
            ("/v2/a/blobs/uploads/tags/list", "a/blobs/uploads"),
            ("/v2/a/tags/list/_berth/tags", "a/tags/list"),
            ("/v2/a/manifests/_berth", "a"),
            ("/v2/a/_berth/tags/list", "a"),
        ];
        for (path, name) in table {
            assert_eq!(name_in(path), Some(name), "{path}");
        }
    }

    #[test]
    fn other_paths_stay_as_they_are() {
        for path in [
            "/",
            "/v2/",
            "/v2/_catalog",
            "/v2/_berth/referrers/rebuild",
            "/v2/_oci/ext/discover",
            "/v2/tags/list",
            "/v2/blobs/x",
            "/v1/a/b/tags/list",
            "/v2/a/b",
        ] {
            assert_eq!(fold(path), None, "{path}");
        }
    }

    #[test]
    fn the_query_is_kept() {
        let uri = "http://localhost/v2/a/b/blobs/uploads/?mount=x&from=c/d".parse().unwrap();
        let folded = fold_uri(&uri).unwrap();
        assert_eq!(folded.to_string(), "http://localhost/v2/a%2Fb/blobs/uploads/?mount=x&from=c/d");
    }
}
