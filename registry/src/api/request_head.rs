//! What the head of a request must be like before anybody acts on it.
//!
//! What cannot be read at all is refused below, by hyper, and has no body: a head that is not HTTP, lengths that
//! contradict each other, more than 100 headers or 256 KiB. Here it is read and does not make sense for a registry, or
//! could mean one thing to a proxy and another to us. The connection ends with the answer, so that nothing behind such
//! a head is taken for a request (RFC 9112, section 11.2).

use axum::http::{
    HeaderMap, HeaderValue, Method, Request, StatusCode, Version,
    header::{CONNECTION, HOST, TRANSFER_ENCODING},
};
use berth_oci::ErrorCode;

use super::error::{Error, Result};

/// The longest path and query, in bytes. A repository, a digest and a few parameters take less than 1 KiB.
const MAX_URI: usize = 16 << 10;

/// The most headers, and the most bytes of their names and values. Bearer tokens of large organisations take 10 KiB.
const MAX_HEADERS: usize = 80;
const MAX_HEADER_BYTES: usize = 48 << 10;

/// Refuses a request whose head does not make sense.
pub(super) fn check<B>(request: &Request<B>) -> Result<()> {
    let refuse = |error: Error| Err(error.with_header(CONNECTION, HeaderValue::from_static("close")));
    objection(request).map_or(Ok(()), refuse)
}

fn objection<B>(request: &Request<B>) -> Option<Error> {
    let refuse = |status, told: &str| Some(Error::new(status, ErrorCode::Unsupported, told));
    let (method, uri, headers) = (request.method(), request.uri(), request.headers());
    if uri.path_and_query().is_some_and(|path| path.as_str().len() > MAX_URI) {
        return refuse(StatusCode::URI_TOO_LONG, "the path and the query are longer than 16 KiB");
    }
    if headers.len() > MAX_HEADERS || length(headers) > MAX_HEADER_BYTES {
        let told = "the request has more than 80 headers, or more than 48 KiB of them";
        return refuse(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, told);
    }
    if matches!(*method, Method::CONNECT | Method::TRACE) {
        return refuse(StatusCode::NOT_IMPLEMENTED, "a registry neither tunnels nor traces");
    }
    if !uri.path().starts_with('/') {
        return refuse(StatusCode::BAD_REQUEST, "the request has no path");
    }
    if !is_for_one_host(request) {
        return refuse(StatusCode::BAD_REQUEST, "the request must name one host, and the same everywhere");
    }
    if !is_at_most_chunked(headers) {
        return refuse(StatusCode::NOT_IMPLEMENTED, "the only transfer coding that is read is `chunked`");
    }
    None
}

fn length(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum()
}

/// Whether the request names its host as RFC 9112, section 3.2, and RFC 9113, section 8.3.1, want it.
fn is_for_one_host<B>(request: &Request<B>) -> bool {
    let mut hosts = request.headers().get_all(HOST).iter();
    match (hosts.next(), hosts.next(), request.uri().authority()) {
        (_, Some(_), _) => false,
        (Some(host), None, Some(authority)) => {
            host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes())
        }
        (None, None, None) => request.version() != Version::HTTP_11,
        (Some(_), None, None) | (None, None, Some(_)) => true,
    }
}

/// Whether the body is in one piece or in plain chunks. What was compressed for the transfer would be stored as it is.
fn is_at_most_chunked(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let chunked = codings.next().is_none_or(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked"));
    chunked && codings.next().is_none()
}

#[cfg(test)]
mod tests {
    use axum::http::request::Builder;

    use super::*;

    fn refused(head: Builder) -> Option<u16> {
        objection(&head.body(()).unwrap()).map(|error| error.status.as_u16())
    }

    fn get(uri: &str) -> Builder {
        Request::get(uri)
    }

    #[test]
    fn a_usual_head_is_passed_on() {
        assert_eq!(refused(get("/v2/").header(HOST, "hub")), None);
        assert_eq!(refused(get("/v2/").header(HOST, "hub").header(TRANSFER_ENCODING, "Chunked")), None);
        assert_eq!(refused(get("http://hub/v2/").version(Version::HTTP_2)), None);
        assert_eq!(refused(get("/v2/").version(Version::HTTP_10)), None);
    }

    #[test]
    fn a_head_names_one_host() {
        assert_eq!(refused(get("/v2/")), Some(400));
        assert_eq!(refused(get("/v2/").header(HOST, "hub").header(HOST, "hub")), Some(400));
        assert_eq!(refused(get("http://hub/v2/").header(HOST, "HUB")), None);
        assert_eq!(refused(get("http://other/v2/").header(HOST, "hub")), Some(400));
    }

    #[test]
    fn a_head_that_is_too_large_is_told_so() {
        let hosted = || get("/v2/").header(HOST, "hub");
        assert_eq!(refused(get(&format!("/v2/{}", "a".repeat(MAX_URI))).header(HOST, "hub")), Some(414));
        assert_eq!(refused(hosted().header("x", "a".repeat(MAX_HEADER_BYTES))), Some(431));
        let many = (0..MAX_HEADERS).fold(hosted(), |head, _| head.header("x", "y"));
        assert_eq!(refused(many), Some(431));
    }

    #[test]
    fn a_body_is_whole_or_in_plain_chunks() {
        let coded = |coding| get("/v2/").header(HOST, "hub").header(TRANSFER_ENCODING, coding);
        assert_eq!(refused(coded("gzip, chunked")), Some(501));
        assert_eq!(refused(coded("chunked").header(TRANSFER_ENCODING, "chunked")), Some(501));
    }
}
