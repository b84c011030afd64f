//! What every request passes through, in order, from its head to the last byte of its answer.
//!
//! These are calls, and not layers around a router: each layer costs a request several allocations, and here there would be
//! more of them than a pull of a manifest needs for itself.

use axum::{
    Router,
    body::{Body, Bytes, HttpBody},
    http::{Request, StatusCode, request::Parts},
    response::{IntoResponse, Response},
};
use futures::future::{BoxFuture, Either, Ready, ready};

use super::{
    Api,
    at_once::at_once,
    cors::is_preflight,
    direct::Endpoint,
    edge::Edge,
    error::{Error, Result},
    exchange::Exchange,
    fold_name::fold_request,
    mirrored, notify, prefix, request_head,
};
use crate::server::{Arrival, HttpService, RequestBody};

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
    async fn pass(self, parts: Parts, body: Body, exchange: &mut Exchange) -> Result<Response> {
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

/// An answer that is there, or is being made. A future that might wait is made for more than an answer that need not be waited for.
type Answer = Either<Ready<Response>, BoxFuture<'static, Response>>;

impl Service {
    /// Answers a request, whatever becomes of it.
    pub fn answer<B>(&self, mut request: Request<B>, arrival: Arrival<'_>) -> Answer
    where
        B: HttpBody<Data = Bytes, Error: Into<axum::BoxError>> + Send + 'static,
    {
        let mut exchange = Exchange::begin(&self.api, &request, arrival.peer);
        let edge = Edge::of(&exchange, &request);
        let finish = |answered, exchange: Exchange, edge: Edge| {
            let answer = edge.finish(&exchange, answered);
            exchange.follow(answer)
        };
        if is_preflight(&request) {
            return Either::Left(ready(finish(StatusCode::NO_CONTENT.into_response(), exchange, edge)));
        }
        if let Err(error) = begin(&self.api, &mut request, &exchange) {
            return Either::Left(ready(finish(error.into_response(), exchange, edge)));
        }
        let (mut parts, body) = request.into_parts();
        if body.is_end_stream()
            && let Some(answered) = at_once(&self.api, &mut parts, arrival, &mut exchange)
        {
            return Either::Left(ready(finish(answered, exchange, edge)));
        }
        arrival.tell(&mut parts);
        let (service, body) = (self.clone(), Body::new(body));
        Either::Right(Box::pin(async move {
            let answered =
                service.pass(parts, body, &mut exchange).await.unwrap_or_else(Error::into_response);
            finish(answered, exchange, edge)
        }))
    }
}

impl HttpService for Service {
    type Body = Body;

    fn answer(
        &self,
        request: Request<RequestBody>,
        arrival: Arrival<'_>,
    ) -> impl Future<Output = Response> + Send + use<> {
        Self::answer(self, request, arrival)
    }
}
