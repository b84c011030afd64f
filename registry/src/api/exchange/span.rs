//! What the span of an exchange tells: the attributes of OpenTelemetry's semantic conventions for HTTP servers.

use axum::http::{
    Request, Version,
    header::{HOST, USER_AGENT},
};

use super::{Exchange, text_of};
use crate::{
    server::Peer,
    telemetry::{RequestSpan, Traces},
};

/// Begins the span of a request.
pub(super) fn begin<B>(traces: &Traces, request: &Request<B>, peer: Peer) -> Option<Box<RequestSpan>> {
    let mut span = traces.begin(request.method(), request.headers())?;
    span.set("http.request.method", request.method().to_string());
    span.set("url.path", request.uri().path().to_owned());
    span.set("network.protocol.version", protocol_version(request.version()));
    span.set("url.scheme", if peer.tls { "https" } else { "http" });
    span.set("client.address", peer.address.to_string());
    for (attribute, header) in [("server.address", HOST), ("user_agent.original", USER_AGENT)] {
        if let Some(text) = text_of(request.headers(), &header) {
            span.set(attribute, text);
        }
    }
    // It is large, and an exchange moves on with the answer.
    Some(Box::new(span))
}

/// Ends the span of an exchange.
pub(super) fn end(span: &mut RequestSpan, exchange: &Exchange) {
    if let Some(route) = exchange.found.endpoint.as_ref().and_then(|endpoint| endpoint.route.as_deref()) {
        span.set_route(&exchange.method, route);
    }
    span.set("http.request.body.size", bytes(exchange.received()));
    span.set("http.response.body.size", bytes(exchange.sent));
    span.end(exchange.status);
}

fn protocol_version(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        _ => "1.1",
    }
}

fn bytes(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
