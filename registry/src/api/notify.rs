//! What a request has done: a handler hangs it on its answer, and the endpoints of notifications are told before the
//! answer is given.
//!
//! As with Distribution, `HEAD` counts as a pull whose method tells it from others, and a blob counts as pulled when its
//! first byte is sent. What a client has already (304) is not pulled.

use std::{convert::Infallible, sync::Arc};

use axum::{
    Router,
    extract::{FromRequestParts, Request},
    http::{
        HeaderMap, Method, StatusCode,
        header::{HOST, USER_AGENT},
        request::Parts,
    },
    response::{IntoResponse, IntoResponseParts, Response, ResponseParts},
};
use berth_oci::ErrorCode;
use tower::ServiceExt;
use tracing::Instrument;

use super::{
    Api,
    error::{Error, Result},
    exchange::Findings,
    forwarded::forwarded_address,
    location::Locations,
};
use crate::{
    notifications::{Action, ActorRecord, Address, Occurrence, RequestRecord, Target},
    repository::{self, Repository},
    server::Peer,
};

/// What a request has done in a repository; a part of the answer that no client sees.
#[derive(Clone, Debug)]
pub(super) struct Happened {
    repository: Repository,
    occurrences: Vec<Occurrence>,
}

impl Happened {
    /// In `repository`, in this order.
    pub(super) fn new(repository: Repository, occurrences: impl Into<Vec<Occurrence>>) -> Self {
        Self { repository, occurrences: occurrences.into() }
    }
}

impl IntoResponseParts for Happened {
    type Error = Infallible;

    fn into_response_parts(self, mut parts: ResponseParts) -> Result<ResponseParts, Infallible> {
        parts.extensions_mut().insert(self);
        Ok(parts)
    }
}

/// Answers by the routes, and tells of what the request has done. A change that cannot be told is not acknowledged either, so
/// that the client makes it once more.
pub(super) async fn tell(api: &Api, routes: Router, request: Request) -> Response {
    if !api.notifications.are_sent() {
        return routed(routes, request).await;
    }
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let answer = answer(api.clone(), routes, request);
    if is_read {
        return answer.await;
    }
    // A change must be told even when the client does not wait for the answer, and its future is dropped.
    tokio::spawn(answer.in_current_span()).await.unwrap_or_else(|stopped| broken_off(stopped).into_response())
}

async fn routed(routes: Router, request: Request) -> Response {
    let Ok(response) = routes.oneshot(request).await;
    response
}

async fn answer(api: Api, routes: Router, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let Ok(locations) = Locations::from_request_parts(&mut parts, &api).await;
    let record = record(&parts);
    let findings = parts.extensions.get::<Findings>().cloned();
    let mut response = routed(routes, Request::from_parts(parts, body)).await;
    let Some(happened) = response.extensions_mut().remove::<Happened>() else { return response };
    let targets = targets(&happened, api.notifications.include_references(), &locations);
    let user = findings.as_ref().and_then(Findings::user);
    let actor = ActorRecord { name: user };
    match api.notifications.publish(record, actor, targets).await {
        Ok(()) => response,
        Err(error) => Error::from(repository::Error::from(error)).into_response(),
    }
}

fn broken_off(stopped: tokio::task::JoinError) -> Error {
    let message = "the registry failed; its log tells why under the id of this request";
    let error = Error::new(StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::Unknown, message);
    Error { cause: Some(Arc::new(stopped)), ..error }
}

fn targets(happened: &Happened, with_references: bool, locations: &Locations) -> Vec<(Action, Target)> {
    let name = happened.repository.name();
    let target = |occurrence: &Occurrence| {
        let url = occurrence.address().map(|address| match address {
            Address::Manifest(digest) => locations.manifest(name, &digest.into()),
            Address::Blob(digest) => locations.blob(name, &digest),
        });
        (occurrence.action(), Target { url, ..occurrence.target(name, with_references) })
    };
    happened.occurrences.iter().map(target).collect()
}

fn record(parts: &Parts) -> RequestRecord {
    let headers = &parts.headers;
    let peer = parts.extensions.get::<Peer>().map(|peer| peer.address.to_string());
    let authority = || parts.uri.authority().map(ToString::to_string);
    RequestRecord {
        id: parts.extensions.get::<Findings>().map(|findings| findings.id().to_string()).unwrap_or_default(),
        addr: forwarded_address(headers).map(|address| address.to_string()).or(peer),
        host: text(headers, HOST.as_str()).map(str::to_owned).or_else(authority),
        method: parts.method.to_string(),
        user_agent: text(headers, USER_AGENT.as_str()).unwrap_or_default().to_owned(),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
