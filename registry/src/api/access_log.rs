//! One line of the log a request: everything that the combined log of web servers has, and what a registry adds.
//!
//! Nothing secret is in it: credentials travel in a header that is not told, and of a query only the parameters of the
//! registry protocol are told with their values.

use super::{
    exchange::{Exchange, Told},
    fold_name::name_in,
};
use crate::telemetry::ACCESS;

use axum::http::StatusCode;

/// The parameters of the registry protocol and of our extension, none of which is secret.
const KNOWN_PARAMETERS: [&str; 9] =
    ["artifactType", "digest", "digest-algorithm", "from", "last", "mount", "n", "reference", "tag"];

/// Writes the line of an exchange that has ended.
pub(super) fn write(exchange: &Exchange, told: &Told) {
    let route = told.route(&exchange.answers.prefix);
    if is_quiet_probe(exchange, route) {
        return;
    }
    tracing::info!(
        target: ACCESS,
        method = exchange.method.as_str(),
        path = told.path(),
        query = told.query().map(told_query),
        protocol = ?told.version,
        repository = name_in(route),
        status = exchange.status.map(|status| status.as_u16()),
        bytes_in = exchange.received(),
        bytes_out = exchange.sent,
        complete = exchange.is_complete(),
        duration_ms = u64::try_from(exchange.duration().as_millis()).unwrap_or(u64::MAX),
        user = exchange.user().unwrap_or("-"),
        request_id = exchange.id().to_string(),
        trace_id = exchange.trace_id(),
        user_agent = told.user_agent(),
        referer = told.referer().map(without_query),
        remote = told.remote.to_string(),
        "{} {} {}",
        exchange.method,
        told.path(),
        exchange.status.as_ref().map_or("given up by the client", StatusCode::as_str),
    );
}

/// Probes come every few seconds and say nothing as long as all is well.
fn is_quiet_probe(exchange: &Exchange, route: &str) -> bool {
    exchange.status == Some(StatusCode::OK) && matches!(route, "/livez" | "/readyz")
}

/// The query, with the values of unknown parameters left out: they may be tokens.
fn told_query(query: &str) -> String {
    let told = |pair: &str| {
        let name = pair.split('=').next().unwrap_or_default();
        if KNOWN_PARAMETERS.contains(&name) { pair.to_owned() } else { format!("{name}=(hidden)") }
    };
    query.split('&').filter(|pair| !pair.is_empty()).map(told).collect::<Vec<_>>().join("&")
}

fn without_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_that_are_not_of_the_protocol_are_told_without_their_values() {
        assert_eq!(told_query("digest=sha256:0&n=5"), "digest=sha256:0&n=5");
        assert_eq!(told_query("n=5&token=secret&&access_token"), "n=5&token=(hidden)&access_token=(hidden)");
    }

    #[test]
    fn the_query_of_a_referer_is_not_told() {
        assert_eq!(without_query("https://ci.example.com/job?token=secret#x"), "https://ci.example.com/job");
    }
}
