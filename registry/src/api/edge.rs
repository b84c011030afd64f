//! What every answer carries: the id of its request, the configured headers, the version of the protocol; and the
//! bodies of failures, which name the id so that a user's report leads to the line of the log.

use std::{error::Error as StdError, sync::Arc};

use axum::{
    Json,
    http::{HeaderMap, HeaderName, HeaderValue, Request, header::ALLOW},
    response::{IntoResponse, Response},
};
use berth_oci::ErrorBody;
use serde_json::json;

use super::{
    authenticate::is_registry_path,
    error::Error,
    exchange::Exchange,
    prefix,
    request_id::RequestId,
    respond::{API_VERSION, REQUEST_ID},
};

/// What the answer to a request carries, whatever it is.
#[derive(Debug)]
pub(super) struct Edge {
    /// The path belongs to the registry protocol.
    of_registry: bool,
    origin: Option<HeaderValue>,
}

impl Edge {
    /// For the answer to this request.
    pub(super) fn of<B>(exchange: &Exchange, request: &Request<B>) -> Self {
        let path = prefix::below(&exchange.answers.prefix, request.uri().path());
        let origin = exchange.answers.cors.origin_of(request.headers()).cloned();
        Self { of_registry: path.is_some_and(is_registry_path), origin }
    }

    /// Finishes an answer.
    pub(super) fn finish(&self, exchange: &Exchange, mut response: Response) -> Response {
        if let Some(error) = response.extensions_mut().remove::<Arc<Error>>() {
            report(&error, exchange.id());
            response = render(&error, exchange.id(), response.headers());
        }
        let (headers, answers) = (response.headers_mut(), &exchange.answers);
        for (name, value) in &answers.headers {
            headers.append(name, value.clone());
        }
        answers.cors.permit(self.origin.as_ref(), headers);
        if self.of_registry {
            put(headers, API_VERSION.0, API_VERSION.1);
        }
        put(headers, REQUEST_ID, exchange.id().value());
        response
    }
}

/// Puts a header into an answer. Where it is already, as in an answer that is ready, a look at the few there are finds it sooner
/// than its hash.
fn put(headers: &mut HeaderMap, name: HeaderName, value: HeaderValue) {
    match headers.iter_mut().find(|(there, _)| **there == name) {
        Some((_, there)) => *there = value,
        None => drop(headers.insert(name, value)),
    }
}

/// Tells the log, once, what the client is not told.
fn report(error: &Error, id: &RequestId) {
    if let Some(cause) = &error.cause {
        let cause: &(dyn StdError + 'static) = &**cause;
        tracing::error!(request_id = id.to_string(), error = cause, "a request failed");
    }
}

fn render(error: &Error, id: &RequestId, headers: &HeaderMap) -> Response {
    let detail = match &error.detail {
        None if error.status.is_server_error() => Some(json!({ "requestId": id.to_string() })),
        detail => detail.clone(),
    };
    let body = ErrorBody::new(error.code, error.message.clone(), detail);
    let mut response = Json(body).into_response();
    *response.status_mut() = error.status;
    // Only a method that a path does not have brings a header along: those that it has.
    if let Some(allowed) = headers.get(ALLOW) {
        response.headers_mut().insert(ALLOW, allowed.clone());
    }
    if let Some(header) = &error.header {
        let (name, value) = (**header).clone();
        response.headers_mut().insert(name, value);
    }
    response
}
