//! The client's address as a proxy tells it. Anybody can write these headers, so that nothing may be granted by them.

use std::net::IpAddr;

use axum::http::HeaderMap;

/// The first address of `X-Forwarded-For`, or that of `X-Real-IP`.
pub(super) fn forwarded_address(headers: &HeaderMap) -> Option<IpAddr> {
    ["x-forwarded-for", "x-real-ip"].iter().find_map(|name| {
        let address = headers.get(*name)?.to_str().ok()?.split(',').next()?.trim();
        address.parse().ok().map(|address: IpAddr| address.to_canonical())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address_in(name: &'static str, value: &'static str) -> Option<String> {
        let headers = HeaderMap::from_iter([(name.parse().unwrap(), value.parse().unwrap())]);
        forwarded_address(&headers).map(|address| address.to_string())
    }

    #[test]
    fn a_proxy_tells_the_address_of_the_client() {
        assert_eq!(address_in("x-forwarded-for", "192.0.2.1, 10.0.0.1").as_deref(), Some("192.0.2.1"));
        assert_eq!(address_in("x-real-ip", "2001:db8::1").as_deref(), Some("2001:db8::1"));
        assert_eq!(address_in("x-real-ip", "::ffff:192.0.2.1").as_deref(), Some("192.0.2.1"));
        assert_eq!(address_in("x-forwarded-for", "unknown"), None);
    }
}
