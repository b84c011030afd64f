//! Which clients get a blob from the storage itself.
//!
//! A client's address is that of the connection. What a proxy tells of the client behind it is not trusted, for the
//! client may have written it, but it is not passed over either: who comes through a proxy is redirected only when both
//! addresses are among those that are. So nobody gains a redirect by a header, and a client from outside is not sent to
//! where only the proxy can go.

use std::{convert::Infallible, net::IpAddr, time::Duration};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header::USER_AGENT, request::Parts},
};

use super::{Api, forwarded::forwarded_address};
use crate::server::Peer;

/// For how long the URL is valid that this client is redirected by; `None` when it is served here.
pub(super) struct Redirection(pub(super) Option<Duration>);

impl Redirection {
    pub(super) fn of(api: &Api, headers: &HeaderMap, peer: Option<&Peer>) -> Self {
        let redirect = api
            .redirect()
            .filter(|redirect| redirect.includes(&addresses(headers, peer), user_agent(headers)));
        Self(redirect.map(|redirect| redirect.lifetime))
    }
}

impl FromRequestParts<Api> for Redirection {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Infallible> {
        Ok(Self::of(api, &parts.headers, parts.extensions.get()))
    }
}

fn addresses(headers: &HeaderMap, peer: Option<&Peer>) -> Vec<IpAddr> {
    let peer = peer.and_then(|peer| peer.address.ip());
    peer.into_iter().chain(forwarded_address(headers)).collect()
}

fn user_agent(headers: &HeaderMap) -> &str {
    headers.get(USER_AGENT).and_then(|name| name.to_str().ok()).unwrap_or_default()
}
