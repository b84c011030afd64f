//! Addresses: `host:port` as Go writes it, and URLs of other servers.

use hyper::Uri;

use crate::config::Address;

pub(super) const HOST_AND_PORT: &str = "a host and a port, such as db.example.com:5432";
pub(super) const URL: &str = "a URL, such as https://example.com/path";

/// Reads `host:port`; without a host, all addresses are meant.
pub(super) fn address(text: &str) -> Option<Address> {
    let (host, port) = text.rsplit_once(':')?;
    let port = port.parse().ok()?;
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host = match (bracketed, host) {
        (Some("::"), _) | (None, "") => None,
        (Some(address), _) => Some(address.to_owned()),
        (None, host) if host.contains(':') => return None,
        (None, host) => Some(host.to_owned()),
    };
    Some(Address { host, port })
}

/// Reads the `host:port` of another server.
pub(super) fn remote(text: &str) -> Option<Address> {
    address(text).filter(|address| address.host.is_some())
}

/// Reads the URL of another server.
pub(super) fn url(text: &str) -> Option<Uri> {
    let uri: Uri = text.parse().ok()?;
    let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
    (is_http && uri.host().is_some_and(|host| !host.is_empty())).then_some(uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_go_writes_them() {
        let all = |port| Some(Address { host: None, port });
        let one = |host: &str, port| Some(Address { host: Some(host.to_owned()), port });
        assert_eq!(address(":5000"), all(5000));
        assert_eq!(address("[::]:5000"), all(5000));
        assert_eq!(address("0.0.0.0:443"), one("0.0.0.0", 443));
        assert_eq!(address("[::1]:5000"), one("::1", 5000));
        assert_eq!(address("localhost:5000"), one("localhost", 5000));
        for wrong in ["5000", "::1:5000", ":http", ":70000", ""] {
            assert_eq!(address(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_remote_address_has_a_host_and_a_url_a_scheme() {
        assert_eq!(remote(":5000"), None);
        assert!(remote("db:5432").is_some());
        assert!(url("https://example.com:8443/events?a=b").is_some());
        for wrong in ["example.com", "ftp://example.com", "/events", "http://"] {
            assert_eq!(url(wrong), None, "{wrong}");
        }
    }
}
