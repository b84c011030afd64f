//! What is found out of a request while it is worked on.

use std::{
    borrow::Cow,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::http::Method;

use crate::{
    api::{Api, edge::RequestId},
    auth::Identity,
    metrics::{Active, Handler},
};

/// Where an exchange, the router and the handlers tell each other of a request; an extension of it. Cheap to clone.
#[derive(Clone, Debug)]
pub(in crate::api) struct Findings(Arc<Found>);

#[derive(Debug)]
struct Found {
    id: RequestId,
    endpoint: OnceLock<Endpoint>,
    identity: OnceLock<Identity>,
    received: AtomicU64,
}

/// What is known since the endpoint was found.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) active: Active,
    /// The line of the route table; `None` when none fits.
    pub(super) route: Option<Cow<'static, str>>,
}

impl Findings {
    /// Nothing is known of a request but its id.
    pub(super) fn new(id: RequestId) -> Self {
        let (endpoint, identity) = (OnceLock::new(), OnceLock::new());
        Self(Arc::new(Found { id, endpoint, identity, received: AtomicU64::new(0) }))
    }

    pub(in crate::api) fn id(&self) -> &RequestId {
        &self.0.id
    }

    /// Tells who sends the request; once.
    pub(in crate::api) fn identify(&self, identity: &Identity) {
        let _ = self.0.identity.set(identity.clone());
    }

    /// The user, if there is one who has shown who it is.
    pub(in crate::api) fn user(&self) -> Option<&str> {
        self.0.identity.get()?.user()
    }

    /// Counts the request as being worked on, by the endpoint that was found; once.
    pub(super) fn found(
        &self,
        api: &Api,
        handler: Handler,
        method: &Method,
        route: impl FnOnce() -> Option<Cow<'static, str>>,
    ) {
        self.0.endpoint.get_or_init(|| Endpoint {
            active: api.metrics.requests().begin(handler, method),
            route: route(),
        });
    }

    pub(super) fn endpoint(&self) -> Option<&Endpoint> {
        self.0.endpoint.get()
    }

    /// Counts what is read of the request's body.
    pub(super) fn receive(&self, bytes: u64) {
        self.0.received.fetch_add(bytes, Ordering::Relaxed);
    }

    /// How many bytes of the request's body have arrived.
    pub(super) fn received(&self) -> u64 {
        self.0.received.load(Ordering::Relaxed)
    }
}
