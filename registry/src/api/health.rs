//! Probes, for anybody and outside of the registry protocol, and what a failing health check means for requests.

use axum::{
    extract::{Request, State},
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse, Response},
};
use berth_oci::ErrorCode;

use super::{
    Api,
    authenticate::is_registry_path,
    error::{Error, Result},
};

/// `GET /livez`: the process answers. The storage is not looked at, since a restart would not mend it.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: pulls can be served; if not, what stands against it.
pub(super) async fn ready(State(api): State<Api>) -> (StatusCode, String) {
    let failing = api.health.failing();
    if !failing.is_empty() {
        let names: Vec<String> = failing.into_keys().collect();
        let told = format!("failing health checks: {}\n", names.join(", "));
        return (StatusCode::SERVICE_UNAVAILABLE, told);
    }
    match api.registry.check().await {
        Ok(()) => (StatusCode::OK, well(&api).await),
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "the storage does not answer\n".to_owned())
        }
    }
}

/// What is told while pulls can be served; pushes may be refused all the same.
async fn well(api: &Api) -> String {
    match api.registry.room().await {
        Ok(Some(room)) if room.is_low() => "ok for pulls; the storage is nearly full: pushes are refused\n",
        _ => "ok\n",
    }
    .to_owned()
}

/// Answers 503 to requests of the registry protocol while a health check fails.
pub(super) async fn refuse_while_unwell(State(api): State<Api>, request: Request, next: Next) -> Response {
    if !is_registry_path(request.uri().path()) {
        return next.run(request).await;
    }
    match require_wellness(&api) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

/// Refuses whatever concerns the registry while a health check fails.
pub(super) fn require_wellness(api: &Api) -> Result<()> {
    if api.health.is_well() {
        return Ok(());
    }
    let told = "a health check fails; /readyz tells which";
    Err(Error::new(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Unavailable, told))
}
