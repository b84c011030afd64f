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
    http::{Request, StatusCode, request::Parts},
    response::{IntoResponse, Response},
};
use futures::future::{BoxFuture, Either, Ready, ready};

use super::{
    Api,
    cors::is_preflight,
    direct::{Endpoint, at_once},
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

    /// Takes a request that makes sense to its endpoint.
    async fn pass(self, parts: Parts, body: Body, exchange: &Exchange) -> Result<Response> {
        if body.is_end_stream()
            && let Some(endpoint) = Endpoint::of(&self.api, &parts)
        {
            return endpoint.answer(&self.api, &parts, exchange).await;
        }
        let request = fold_request(exchange.accompany(Request::from_parts(parts, body)));
        Ok(notify::tell(&self.api, self.routes, request).await)
    }
}

/// What is known of a request that it begins with.
fn begin<B>(api: &Api, request: &mut Request<B>, exchange: &Exchange) -> Result<()> {
    request_head::check(request)?;
    prefix::enter(&exchange.answers.prefix, request)?;
    mirrored::enter(&api.mirrors, request);
    Ok(())
}

impl<B> tower::Service<Request<B>> for Service
where
    B: HttpBody<Data = Bytes, Error: Into<axum::BoxError>> + Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future =
        Either<Ready<Result<Response, Infallible>>, BoxFuture<'static, Result<Response, Infallible>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    /// Answers a request, whatever becomes of it: at once, where nothing has to be waited for, since a future that might wait is
    /// made for more than such an answer.
    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let exchange = Exchange::begin(&self.api, &request);
        let edge = Edge::of(&exchange, &request);
        let finish = |answered, exchange: Exchange, edge: Edge| {
            let answer = edge.finish(&exchange, answered);
            Ok(exchange.follow(answer))
        };
        if is_preflight(&request) {
            return Either::Left(ready(finish(StatusCode::NO_CONTENT.into_response(), exchange, edge)));
        }
        if let Err(error) = begin(&self.api, &mut request, &exchange) {
            return Either::Left(ready(finish(error.into_response(), exchange, edge)));
        }
        let (parts, body) = request.into_parts();
        if body.is_end_stream()
            && let Some(answered) = at_once(&self.api, &parts, &exchange)
        {
            return Either::Left(ready(finish(answered, exchange, edge)));
        }
        let (service, body) = (self.clone(), Body::new(body));
        Either::Right(Box::pin(async move {
            let answered = service.pass(parts, body, &exchange).await.unwrap_or_else(Error::into_response);
            finish(answered, exchange, edge)
        }))
    }
}
