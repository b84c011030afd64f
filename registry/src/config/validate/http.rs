//! `http`: the listeners and the outside of answers.

use hyper::header::HeaderValue;
use ring::hmac;

use super::{
    address::{address, url},
    headers::headers,
    tls::tls,
};
use crate::config::{Debug, Http, Listen, error::Error, settings::Settings};

const ADDRESS: &str = "an address and a port, such as :5000, 127.0.0.1:5000 or [::1]:5000";

pub(super) fn http(settings: &Settings, warnings: &mut Vec<String>) -> Result<Http, Error> {
    const HOST: &str = "a URL without a path, such as https://registry.example.com";
    const PREFIX: &str = "a path that begins and ends with a slash, such as /registry/";
    Ok(Http {
        listen: listen(settings)?,
        host: settings.read("host", HOST, host)?,
        prefix: settings.read("prefix", PREFIX, prefix)?.unwrap_or_default(),
        relative_urls: settings.flag("relativeurls")?,
        upload_key: settings.text("secret")?.map(|secret| upload_key(&secret)),
        headers: headers(settings, "headers")?,
        tls: tls(&settings.below("tls"), warnings)?,
        http2: !settings.flag("http2.disabled")?,
        h2c: settings.flag("h2c.enabled")?,
        drain_timeout: settings.duration("draintimeout")?,
        drain_delay: settings.duration("draindelay")?,
    })
}

fn upload_key(secret: &str) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes())
}

fn listen(settings: &Settings) -> Result<Listen, Error> {
    const SOCKET: &str = "the path of the socket, such as /run/registry.sock, because http.net is unix";
    let is_unix = settings.require("net", "tcp or unix", |text| match text {
        "tcp" | "tcp4" | "tcp6" => Some(false),
        "unix" => Some(true),
        _ => None,
    })?;
    if is_unix {
        let path = |text: &str| text.contains('/').then(|| text.into());
        settings.require("addr", SOCKET, path).map(Listen::Unix)
    } else {
        settings.require("addr", ADDRESS, address).map(Listen::Tcp)
    }
}

/// Scheme and authority without a slash at the end.
fn host(text: &str) -> Option<String> {
    let base = text.trim_end_matches('/');
    let uri = url(base)?;
    let plain = uri.path() == "/" && uri.query().is_none() && !base.contains(['@', '#']);
    (plain && HeaderValue::from_str(base).is_ok()).then(|| base.to_owned())
}

/// A path without its last slash.
fn prefix(text: &str) -> Option<String> {
    let path = text.strip_suffix('/').unwrap_or(text);
    if path.is_empty() {
        return Some(String::new());
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
    let is_word = |word: &str| !matches!(word, "" | "." | "..") && word.chars().all(is_plain);
    path.strip_prefix('/')?.split('/').all(is_word).then(|| path.to_owned())
}

/// The second listener, if it has an address.
pub(super) fn debug(settings: &Settings, warnings: &mut Vec<String>) -> Result<Option<Debug>, Error> {
    let metrics = settings.flag("prometheus.enabled")?;
    let path = settings.require("prometheus.path", "a path, such as /metrics", |text| {
        text.starts_with('/').then(|| text.to_owned())
    })?;
    let Some(address) = settings.read("addr", ADDRESS, address)? else {
        if let Some(origin) = settings.origin("prometheus.enabled").filter(|_| metrics) {
            warnings.push(format!(
                "{origin}: `http.debug.prometheus.enabled` has no effect without http.debug.addr, such as :5001"
            ));
        }
        return Ok(None);
    };
    Ok(Some(Debug { address, metrics_path: metrics.then_some(path) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_url_without_a_path() {
        assert_eq!(host("https://hub.example.com/").as_deref(), Some("https://hub.example.com"));
        assert_eq!(host("http://hub.example.com:5000").as_deref(), Some("http://hub.example.com:5000"));
        for wrong in ["hub.example.com", "https://hub.example.com/path", "https://a@hub", "https://hub?a"] {
            assert_eq!(host(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_prefix_begins_with_a_slash_and_loses_the_last_one() {
        assert_eq!(prefix("/registry/").as_deref(), Some("/registry"));
        assert_eq!(prefix("/a/b-c").as_deref(), Some("/a/b-c"));
        assert_eq!(prefix("/").as_deref(), Some(""));
        for wrong in ["registry/", "//", "/a//b/", "/../", "/a?b/", "/ä/"] {
            assert_eq!(prefix(wrong), None, "{wrong}");
        }
    }
}
