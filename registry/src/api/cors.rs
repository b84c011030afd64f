//! Requests from web pages of other origins: browsers may do what `http.headers` permits by `Access-Control-*`, and
//! no more.
//!
//! A browser asks in advance, by a preflight that carries no credentials; so it is answered before anybody is asked
//! for them. Whether the page may read more than the plainest headers of an answer is the one thing that is added.

use axum::http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request,
    header::{
        ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
        VARY,
    },
};

/// What a client of a registry has to read.
const EXPOSED: HeaderValue = HeaderValue::from_static("Docker-Content-Digest, Link, WWW-Authenticate");
const ANY: &str = "*";

/// The origins that are permitted.
#[derive(Debug)]
pub(super) struct Cors {
    origins: Vec<HeaderValue>,
    exposed_by_default: bool,
}

impl Cors {
    /// Takes the origins out of the configured headers, which stand on every answer otherwise.
    pub(super) fn take_from(headers: &mut Vec<(HeaderName, HeaderValue)>) -> Self {
        let origins = headers.extract_if(.., |(name, _)| *name == ACCESS_CONTROL_ALLOW_ORIGIN);
        let origins = origins.map(|(_, origin)| origin).collect();
        let exposed_by_default = !headers.iter().any(|(name, _)| *name == ACCESS_CONTROL_EXPOSE_HEADERS);
        Self { origins, exposed_by_default }
    }

    /// Which origin a request comes from, where the answer depends on it.
    pub(super) fn origin_of<'a>(&self, request: &'a HeaderMap) -> Option<&'a HeaderValue> {
        if self.origins.len() > 1 { request.get(ORIGIN) } else { None }
    }

    /// Adds to an answer what a page of this origin may do with it.
    pub(super) fn permit(&self, origin: Option<&HeaderValue>, answer: &mut HeaderMap) {
        if self.origins.len() > 1 {
            // The answer names one of them, so that a cache must not give it to another.
            answer.append(VARY, HeaderValue::from_static("Origin"));
        }
        if let Some(permitted) = self.permitted(origin) {
            answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, permitted.clone());
            if self.exposed_by_default {
                answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
            }
        }
    }

    /// A browser understands one origin an answer: the only one there is, or the one that asks.
    fn permitted(&self, origin: Option<&HeaderValue>) -> Option<&HeaderValue> {
        match self.origins.as_slice() {
            [only] => Some(only),
            several => several.iter().find(|permitted| *permitted == ANY || Some(*permitted) == origin),
        }
    }
}

/// Whether a browser asks in advance, before it sends the request of a page.
pub(super) fn is_preflight<B>(request: &Request<B>) -> bool {
    let headers = request.headers();
    request.method() == Method::OPTIONS
        && headers.contains_key(ORIGIN)
        && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permit(configured: &[(HeaderName, &'static str)], origin: &'static str) -> HeaderMap {
        let headers = configured.iter().cloned();
        let mut headers = headers.map(|(name, value)| (name, HeaderValue::from_static(value))).collect();
        let cors = Cors::take_from(&mut headers);
        let mut answer = HeaderMap::new();
        cors.permit(Some(&HeaderValue::from_static(origin)), &mut answer);
        answer
    }

    #[test]
    fn of_several_origins_the_one_that_asks_is_named() {
        let two = [(ACCESS_CONTROL_ALLOW_ORIGIN, "http://a"), (ACCESS_CONTROL_ALLOW_ORIGIN, "http://b")];
        let answer = permit(&two, "http://b");
        assert_eq!(
            (&answer[ACCESS_CONTROL_ALLOW_ORIGIN], &answer[VARY]),
            (&two[1].1.parse().unwrap(), &"Origin".parse().unwrap())
        );
        let answer = permit(&two, "http://c");
        assert!(!answer.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) && answer.contains_key(VARY));
    }

    #[test]
    fn a_single_origin_is_named_to_everybody() {
        for origin in ["*", "http://a"] {
            let answer = permit(&[(ACCESS_CONTROL_ALLOW_ORIGIN, origin)], "http://b");
            assert_eq!(answer[ACCESS_CONTROL_ALLOW_ORIGIN], origin);
            assert_eq!(answer[ACCESS_CONTROL_EXPOSE_HEADERS], EXPOSED);
            assert!(!answer.contains_key(VARY));
        }
    }

    #[test]
    fn what_is_exposed_may_be_configured() {
        let configured = [(ACCESS_CONTROL_ALLOW_ORIGIN, "*"), (ACCESS_CONTROL_EXPOSE_HEADERS, "Link")];
        assert!(!permit(&configured, "http://a").contains_key(ACCESS_CONTROL_EXPOSE_HEADERS));
    }

    #[test]
    fn nothing_is_permitted_that_was_not_configured() {
        assert!(permit(&[], "http://a").is_empty());
    }
}
