//! What every request passes through, in order, from its head to the last byte of its answer.
//!
//! These are calls, and not layers around a router: each layer costs a request several allocations, and here there would be
//! more of them than a pull of a manifest needs for itself.

use std::{
    convert::Infallible,
    task::{Context, Poll},
};

use axum::{
    Router,
    body::{Body, Bytes, HttpBody},
    extract::Request,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use futures::future::BoxFuture;

use super::{
    Api,
    cors::is_preflight,
    direct::Endpoint,
    edge::Edge,
    error::{Error, Result},
    exchange::Exchange,
    fold_name::fold_request,
    mirrored, notify, prefix, request_head,
};

/// Answers requests. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Service {
    api: Api,
    routes: Router,
}

impl Service {
    pub(super) fn new(api: Api, routes: Router) -> Self {
        Self { api, routes }
    }

    /// Answers a request, whatever becomes of it.
    async fn answer(self, request: Request) -> Response {
        let exchange = Exchange::begin(&self.api, &request);
        let edge = Edge::of(&exchange, &request);
        let answered = if is_preflight(&request) {
            StatusCode::NO_CONTENT.into_response()
        } else {
            self.pass(request, &exchange).await.unwrap_or_else(Error::into_response)
        };
        exchange.follow(edge.finish(answered))
    }

    /// Takes a request to its endpoint, if it makes sense.
    async fn pass(self, mut request: Request, exchange: &Exchange) -> Result<Response> {
        request_head::check(&request)?;
        prefix::enter(&exchange.answers.prefix, &mut request)?;
        mirrored::enter(&self.api.mirrors, &mut request);
        let (parts, body) = request.into_parts();
        if body.is_end_stream()
            && let Some(endpoint) = Endpoint::of(&self.api, &parts)
        {
            return endpoint.answer(&self.api, &parts, exchange).await;
        }
        let request = fold_request(exchange.accompany(Request::from_parts(parts, body)));
        Ok(notify::tell(&self.api, self.routes, request).await)
    }
}

impl<B> tower::Service<axum::http::Request<B>> for Service
where
    B: HttpBody<Data = Bytes, Error: Into<axum::BoxError>> + Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: axum::http::Request<B>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move { Ok(service.answer(request.map(Body::new)).await) })
    }
}
