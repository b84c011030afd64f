//! The second listener, for those who run the registry: metrics and health, without authentication.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    http::{
        HeaderMap, StatusCode, Uri,
        header::{ACCEPT, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
    routing::get,
};

use super::base;
use crate::{
    health::Health,
    metrics::{Exposition, Format},
};

/// What the debug address tells.
#[derive(Debug)]
struct Debug {
    health: Health,
    /// The metrics and the path at which they are, unless they are off.
    metrics: Option<(String, Exposition)>,
}

/// The service of the debug address.
pub fn debug_router(health: Health, metrics: Option<(String, Exposition)>) -> Router {
    Router::new()
        .route("/", get(base::root))
        .route("/debug/health", get(failing))
        .fallback(get(metrics_page))
        .with_state(Arc::new(Debug { health, metrics }))
}

/// `GET /debug/health`: which health checks fail, and why; an empty object when all is well.
async fn failing(State(debug): State<Arc<Debug>>) -> Response {
    let failing = debug.health.failing();
    let status = if failing.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(failing)).into_response()
}

/// Everything that is counted, for a collector such as Prometheus, at the configured path.
async fn metrics_page(State(debug): State<Arc<Debug>>, uri: Uri, headers: HeaderMap) -> Response {
    let exposition = match &debug.metrics {
        Some((path, exposition)) if path == uri.path() => exposition,
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let format = Format::accepted(accept);
    match exposition.render(format).await {
        Ok(page) => ([(CONTENT_TYPE, format.media_type())], page).into_response(),
        Err(error) => {
            tracing::error!(%error, "the metrics cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
