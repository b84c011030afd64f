//! Probes, for anybody and outside of the registry protocol.

use axum::{extract::State, http::StatusCode};

use super::Api;

/// `GET /livez`: the process answers. The storage is not looked at, since a restart would not mend it.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: pulls can be served.
pub(super) async fn ready(State(api): State<Api>) -> (StatusCode, &'static str) {
    match api.registry.check().await {
        Ok(()) => (StatusCode::OK, "ok\n"),
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "the storage does not answer\n")
        }
    }
}
