//! The second listener, for those who run the registry: metrics and health, without authentication.

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::{
        HeaderMap, StatusCode,
        header::{ACCEPT, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
    routing::get,
};

use super::base;
use crate::metrics::{Exposition, Format};

/// The service of the debug address; metrics are at `metrics_path`, unless they are off.
pub fn debug_router(exposition: Exposition, metrics_path: Option<&str>) -> Router {
    let router = Router::new().route("/", get(base::root));
    let router = match metrics_path {
        Some(path) => router.route(path, get(metrics)),
        None => router,
    };
    router.with_state(Arc::new(exposition))
}

/// Everything that is counted, for a collector such as Prometheus.
async fn metrics(State(exposition): State<Arc<Exposition>>, headers: HeaderMap) -> Response {
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
