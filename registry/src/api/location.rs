//! The addresses that answers name: absolute, as the client sees this server, unless relative ones are configured.
//!
//! Scheme and authority come from `http.host`, else from `Forwarded` (RFC 7239), else from `X-Forwarded-Proto` and
//! `X-Forwarded-Host`, else from the connection and `Host`.

use std::convert::Infallible;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, Uri, header::HOST, request::Parts},
};
use berth_oci::{Digest, Reference, RepositoryName, UploadId};

use super::{Answers, Api};
use crate::server::Peer;

/// Makes addresses for one request.
#[derive(Debug)]
pub(super) struct Locations {
    /// Scheme and authority, or nothing.
    base: String,
}

impl Locations {
    /// Of a blob.
    pub(super) fn blob(&self, name: &RepositoryName, digest: &Digest) -> String {
        format!("{}/v2/{name}/blobs/{digest}", self.base)
    }

    /// Of an upload.
    pub(super) fn upload(&self, name: &RepositoryName, id: &UploadId) -> String {
        format!("{}/v2/{name}/blobs/uploads/{id}", self.base)
    }

    /// Of a manifest.
    pub(super) fn manifest(&self, name: &RepositoryName, reference: &Reference) -> String {
        format!("{}/v2/{name}/manifests/{reference}", self.base)
    }
}

impl FromRequestParts<Api> for Locations {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Infallible> {
        let tls = parts.extensions.get::<Peer>().is_some_and(|peer| peer.tls);
        Ok(Self { base: base(&api.answers, &parts.headers, &parts.uri, tls) })
    }
}

fn base(answers: &Answers, headers: &HeaderMap, uri: &Uri, tls: bool) -> String {
    if answers.relative_urls {
        return String::new();
    }
    if let Some(host) = &answers.host {
        return host.clone();
    }
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

    fn answers(host: Option<&str>, relative_urls: bool) -> Answers {
        Answers { host: host.map(str::to_owned), relative_urls, headers: Vec::new() }
    }

    fn base_of(answers: &Answers, headers: &[(&'static str, &str)], tls: bool) -> String {
        let headers =
            headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        base(answers, &headers, &Uri::from_static("/v2/"), tls)
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
        let table: [(&[(&str, &str)], &str); 5] = [
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
        ];
        for (headers, expected) in table {
            assert_eq!(base_of(&plain, headers, false), expected, "{headers:?}");
        }
        assert_eq!(base_of(&plain, &[("host", "[::1]:5000")], true), "https://[::1]:5000");
    }

    #[test]
    fn relative_addresses_have_no_base() {
        assert_eq!(base_of(&answers(Some("https://hub"), true), &[("host", "hub")], true), "");
        assert_eq!(base_of(&answers(None, false), &[("host", "a b")], true), "");
    }
}
