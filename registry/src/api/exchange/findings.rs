//! What is found out of a request while it is worked on.

use std::{
    borrow::Cow,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::http::Method;

use crate::{
    api::{Api, request_id::RequestId},
    auth::Identity,
    metrics::{Active, Handler},
};

/// What is found out of a request.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) endpoint: Option<Endpoint>,
    pub(super) identity: Option<Identity>,
}

/// Where the router and the handlers behind it tell what they find out of a request; an extension of it. Cheap to clone.
#[derive(Clone, Debug)]
pub(in crate::api) struct Findings(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    id: RequestId,
    found: Mutex<Found>,
    received: AtomicU64,
}

/// What is known since the endpoint was found.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) active: Active,
    /// The line of the route table; `None` when none fits.
    pub(super) route: Option<Cow<'static, str>>,
}

impl Found {
    /// Counts the request as being worked on, by the endpoint that was found; once.
    pub(super) fn endpoint(
        &mut self,
        api: &Api,
        handler: Handler,
        method: &Method,
        route: impl FnOnce() -> Option<Cow<'static, str>>,
    ) {
        self.endpoint.get_or_insert_with(|| Endpoint {
            active: api.metrics.requests().begin(handler, method),
            route: route(),
        });
    }
}

impl Findings {
    /// Nothing is known of a request but its id.
    pub(super) fn new(id: RequestId) -> Self {
        Self(Arc::new(Shared { id, found: Mutex::default(), received: AtomicU64::new(0) }))
    }

    pub(in crate::api) fn id(&self) -> &RequestId {
        &self.0.id
    }

    /// Tells who sends the request.
    pub(in crate::api) fn identify(&self, identity: &Identity) {
        self.lock().identity = Some(identity.clone());
    }

    /// The user, if there is one who has shown who it is.
    pub(in crate::api) fn user(&self) -> Option<String> {
        self.lock().identity.as_ref()?.user().map(str::to_owned)
    }

    /// Counts the request as being worked on, by the endpoint that was found; once.
    pub(super) fn found(
        &self,
        api: &Api,
        handler: Handler,
        method: &Method,
        route: impl FnOnce() -> Option<Cow<'static, str>>,
    ) {
        self.lock().endpoint(api, handler, method, route);
    }

    /// What was found, for the exchange that ends. A handler may go on, and tell others who has sent the request.
    pub(super) fn end(&self) -> Found {
        let mut found = self.lock();
        Found { endpoint: found.endpoint.take(), identity: found.identity.clone() }
    }

    /// Counts what is read of the request's body.
    pub(super) fn receive(&self, bytes: u64) {
        self.0.received.fetch_add(bytes, Ordering::Relaxed);
    }

    /// How many bytes of the request's body have arrived.
    pub(super) fn received(&self) -> u64 {
        self.0.received.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Found> {
        self.0.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
