//! The second listener, for those who run the registry: metrics, health, and which files are in force, without authentication.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json, Router,
    body::Body,
    extract::State,
    http::{
        HeaderMap, Request, StatusCode, Uri,
        header::{ACCEPT, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Serialize;
use tower::ServiceExt as _;

use super::base;
use crate::{
    health::Health,
    metrics::{Exposition, Format},
    reloading::InForce,
    server::{Arrival, HttpService, RequestBody},
};

/// What the debug address tells.
#[derive(Debug)]
struct Debug {
    health: Health,
    /// The metrics and the path at which they are, unless they are off.
    metrics: Option<(String, Exposition)>,
    in_force: InForce,
}

/// What the debug address answers to those who ask what is loaded.
#[derive(Debug, Serialize)]
struct Loaded {
    /// The digest of each file, by path.
    files: BTreeMap<String, String>,
}

/// The service of the debug address.
pub fn debug_router(health: Health, metrics: Option<(String, Exposition)>, in_force: InForce) -> Router {
    Router::new()
        .route("/", get(base::root))
        .route("/debug/health", get(failing))
        .route("/debug/loaded", get(loaded))
        .fallback(get(metrics_page))
        .with_state(Arc::new(Debug { health, metrics, in_force }))
}

impl HttpService for Router {
    type Body = Body;

    fn answer(
        &self,
        request: Request<RequestBody>,
        _: Arrival<'_>,
    ) -> impl Future<Output = Response> + Send + use<> {
        let routed = self.clone().oneshot(request.map(Body::new));
        async {
            let Ok(response) = routed.await;
            response
        }
    }
}

/// `GET /debug/health`: which health checks fail, and why; an empty object when all is well.
async fn failing(State(debug): State<Arc<Debug>>) -> Response {
    let failing = debug.health.failing();
    let status = if failing.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(failing)).into_response()
}

/// `GET /debug/loaded`: each file that is read again when it changes, with the SHA-256 of the bytes that are in force. Whoever
/// has changed one knows by it when this server has taken the change.
async fn loaded(State(debug): State<Arc<Debug>>) -> Json<Loaded> {
    Json(Loaded { files: debug.in_force.files() })
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
