//! Paths that concern no repository, and those that lead nowhere.

use axum::http::{Method, StatusCode, Uri};
use berth_oci::ErrorCode;

use super::{error::Error, respond::Version};

/// `GET /`: load balancers ask here whether the server answers.
pub(super) async fn root() -> StatusCode {
    StatusCode::OK
}

/// `GET /v2/`: whether this is a registry, and whether the credentials are right.
pub(super) async fn version() -> Version {
    Version
}

/// Every path that is not in the route table.
pub(super) async fn not_found(uri: Uri) -> Error {
    let told = format!("there is nothing at {}: registry paths begin with /v2/<name>/", uri.path());
    Error::new(StatusCode::NOT_FOUND, ErrorCode::Unsupported, told)
}

/// Every method that a path does not have.
pub(super) async fn method_not_allowed(method: Method) -> Error {
    let told = format!("{method} is not supported here");
    Error::new(StatusCode::METHOD_NOT_ALLOWED, ErrorCode::Unsupported, told)
}
