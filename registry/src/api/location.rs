//! The addresses that answers name: absolute, as the client sees this server, unless relative ones are configured.
//!
//! Scheme and authority come from `http.host`, else from `Forwarded` (RFC 7239), else from `X-Forwarded-Proto` and
//! `X-Forwarded-Host`, else from the connection and `Host`. `X-Forwarded-Port` is not asked: the host names the port
//! that clients use, and this header often that of an inner listener. Paths begin with `http.prefix`, or with the path
//! of `http.host`, if it has one: then a proxy maps the one to the other.

use std::convert::Infallible;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, Uri, header::HOST, request::Parts},
};
use berth_oci::{Digest, Reference, RepositoryName, UploadId};
use ring::hmac;

use super::{Answers, Api, upload_state};
use crate::server::Peer;

/// Makes addresses for one request.
#[derive(Debug)]
pub(super) struct Locations {
    /// Scheme and authority, or nothing; and what all paths begin with.
    base: String,
    /// What all paths begin with, as the client sees them.
    root: String,
    /// What signs the states of uploads; without it they are left out.
    upload_key: Option<hmac::Key>,
}

impl Locations {
    /// Of a blob.
    pub(super) fn blob(&self, name: &RepositoryName, digest: &Digest) -> String {
        format!("{}/v2/{name}/blobs/{digest}", self.base)
    }

    /// Of an upload that has `size` bytes.
    pub(super) fn upload(&self, name: &RepositoryName, id: &UploadId, size: u64) -> String {
        let state = self.upload_key.as_ref().and_then(|key| upload_state::encode(key, name, id, size));
        let query = state.map(|state| format!("?_state={state}")).unwrap_or_default();
        format!("{}/v2/{name}/blobs/uploads/{id}{query}", self.base)
    }

    /// Of a manifest.
    pub(super) fn manifest(&self, name: &RepositoryName, reference: &Reference) -> String {
        format!("{}/v2/{name}/manifests/{reference}", self.base)
    }

    /// The path of the garbage collection.
    pub(super) fn garbage_collection(&self) -> String {
        format!("{}/v2/_berth/garbage-collection", self.root)
    }

    /// Of the page about our own endpoints.
    pub(super) fn documentation(&self) -> String {
        format!("{}/v2/_berth", self.base)
    }

    /// The path of the list of repositories.
    pub(super) fn catalog(&self) -> String {
        format!("{}/v2/_catalog", self.root)
    }

    /// The path of the list of a repository's tags.
    pub(super) fn tags(&self, name: &RepositoryName) -> String {
        format!("{}/v2/{name}/tags/list", self.root)
    }

    /// The path of the list of a repository's tags with what they point at.
    pub(super) fn tag_summaries(&self, name: &RepositoryName) -> String {
        format!("{}/v2/{name}/_berth/tags", self.root)
    }

    /// The path of the list of what refers to a manifest.
    pub(super) fn referrers(&self, name: &RepositoryName, subject: &Digest) -> String {
        format!("{}/v2/{name}/referrers/{subject}", self.root)
    }
}

impl FromRequestParts<Api> for Locations {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Infallible> {
        let tls = parts.extensions.get::<Peer>().is_some_and(|peer| peer.tls);
        Ok(Self::of(&api.answers(), &parts.headers, &parts.uri, tls))
    }
}

impl Locations {
    fn of(answers: &Answers, headers: &HeaderMap, uri: &Uri, tls: bool) -> Self {
        let (host, path) = answers.host.as_deref().map(split_host).unzip();
        let root = path.filter(|path| !path.is_empty()).unwrap_or(&answers.prefix).to_owned();
        let server = match host {
            _ if answers.relative_urls => String::new(),
            Some(host) => host.to_owned(),
            None => server_seen(headers, uri, tls),
        };
        Self { base: format!("{server}{root}"), root, upload_key: answers.upload_key.clone() }
    }
}

/// Scheme and authority of `http.host`, and its path, which has no slash at the end.
fn split_host(host: &str) -> (&str, &str) {
    let authority = host.find("://").map_or(0, |scheme| scheme + "://".len());
    let path = host[authority..].find('/').map_or(host.len(), |path| authority + path);
    (&host[..path], host[path..].trim_end_matches('/'))
}

/// The absolute address of a path of this server, outside of everything that the configuration puts before its own paths.
pub(super) fn address_of(path: &str, answers: &Answers, request: &Parts) -> String {
    let tls = request.extensions.get::<Peer>().is_some_and(|peer| peer.tls);
    let host = answers.host.as_deref().map(|host| split_host(host).0.to_owned());
    let server = host.unwrap_or_else(|| server_seen(&request.headers, &request.uri, tls));
    format!("{server}{path}")
}

/// The absolute address of our endpoint of tokens, beside `/v2/`.
pub(super) fn address_of_tokens(answers: &Answers, request: &Parts) -> String {
    let path = answers.host.as_deref().map(|host| split_host(host).1).filter(|path| !path.is_empty());
    address_of(&format!("{}/token", path.unwrap_or(&answers.prefix)), answers, request)
}

/// Scheme and authority as the client sees them; nothing if that cannot be known.
fn server_seen(headers: &HeaderMap, uri: &Uri, tls: bool) -> String {
    let scheme = forwarded(headers, "proto")
        .or_else(|| first(headers, "x-forwarded-proto"))
        .filter(|scheme| ["http", "https"].contains(&scheme.as_str()))
        .unwrap_or_else(|| if tls { "https" } else { "http" }.to_owned());
    let authority = forwarded(headers, "host")
        .or_else(|| first(headers, "x-forwarded-host"))
        .or_else(|| first(headers, HOST.as_str()))
        .or_else(|| uri.authority().map(ToString::to_string));
    match authority.filter(|authority| is_authority(authority)) {
        Some(authority) => format!("{scheme}://{authority}"),
        None => String::new(),
    }
}

/// The first of the values that proxies have joined by commas.
fn first(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?.split(',').next()?.trim();
    (!value.is_empty()).then(|| value.to_owned())
}

/// A parameter of the first element of `Forwarded`.
fn forwarded(headers: &HeaderMap, parameter: &str) -> Option<String> {
    first(headers, "forwarded")?.split(';').find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        name.eq_ignore_ascii_case(parameter).then(|| value.trim_matches('"').to_owned())
    })
}

/// Whether a text can stand for host and port; what cannot would break the header that it becomes part of.
fn is_authority(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-._:[]".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::cors::Cors;

    fn answers(host: Option<&str>, relative_urls: bool) -> Answers {
        let cors = Cors::take_from(&mut Vec::new());
        let host = host.map(str::to_owned);
        Answers { host, prefix: String::new(), relative_urls, headers: Vec::new(), cors, upload_key: None }
    }

    fn base_of(answers: &Answers, headers: &[(&'static str, &str)], tls: bool) -> String {
        let headers =
            headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        Locations::of(answers, &headers, &Uri::from_static("/v2/"), tls).base
    }

    #[test]
    fn the_configured_host_wins() {
        let headers = [("host", "inner:5000"), ("x-forwarded-host", "proxy")];
        let answers = answers(Some("https://hub.example.com"), false);
        assert_eq!(base_of(&answers, &headers, false), "https://hub.example.com");
    }

    #[test]
    fn proxies_tell_what_the_client_sees() {
        let plain = answers(None, false);
        let table: [(&[(&str, &str)], &str); 8] = [
            (&[("host", "hub:5000")], "http://hub:5000"),
            (&[("host", "hub"), ("x-forwarded-proto", "https")], "https://hub"),
            (
                &[
                    ("host", "inner"),
                    ("x-forwarded-proto", "https, http"),
                    ("x-forwarded-host", "hub, inner"),
                ],
                "https://hub",
            ),
            (
                &[("host", "inner"), ("forwarded", "for=1.2.3.4;proto=https;host=\"hub:8443\", for=5.6.7.8")],
                "https://hub:8443",
            ),
            (&[("host", "hub"), ("x-forwarded-proto", "ftp")], "http://hub"),
            (&[("host", "hub"), ("forwarded", "for=1.2.3.4"), ("x-forwarded-proto", "https")], "https://hub"),
            (&[("host", "hub"), ("forwarded", "Proto=https;by=x")], "https://hub"),
            (&[("host", "hub:8443"), ("x-forwarded-port", "5000")], "http://hub:8443"),
        ];
        for (headers, expected) in table {
            assert_eq!(base_of(&plain, headers, false), expected, "{headers:?}");
        }
        assert_eq!(base_of(&plain, &[("host", "[::1]:5000")], true), "https://[::1]:5000");
    }

    #[test]
    fn paths_begin_with_the_prefix_or_with_the_path_of_the_host() {
        let locations = |host: Option<&str>, relative_urls: bool| {
            let answers = Answers { prefix: "/inner".to_owned(), ..answers(host, relative_urls) };
            let locations = Locations::of(&answers, &HeaderMap::new(), &Uri::from_static("/v2/"), false);
            (locations.base, locations.root)
        };
        let told = |base: &str, root: &str| (base.to_owned(), root.to_owned());
        assert_eq!(locations(None, false), told("/inner", "/inner"));
        assert_eq!(locations(Some("https://hub"), false), told("https://hub/inner", "/inner"));
        assert_eq!(locations(Some("https://hub/outer"), false), told("https://hub/outer", "/outer"));
        assert_eq!(locations(Some("https://hub/outer/"), true), told("/outer", "/outer"));
    }

    #[test]
    fn a_request_without_a_host_gets_relative_addresses() {
        assert_eq!(base_of(&answers(None, false), &[], false), "");
    }

    #[test]
    fn relative_addresses_have_no_base() {
        assert_eq!(base_of(&answers(Some("https://hub"), true), &[("host", "hub")], true), "");
        assert_eq!(base_of(&answers(None, false), &[("host", "a b")], true), "");
    }
}
