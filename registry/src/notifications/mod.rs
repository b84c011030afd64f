//! Notifications: endpoints are told by HTTP of what is pushed, pulled, mounted and deleted, in the envelopes of
//! Distribution (`application/vnd.docker.distribution.events.v2+json`).
//!
//! Each endpoint has a queue of its own in the storage. What tells of a change is in the queue before the change is
//! acknowledged, and stays there until the endpoint has taken it, whatever happens to the process; pulls are written
//! every second. Delivery is in order and at least once: an event may come twice, under the same id.
//!
//! `api` says what a request did ([`Occurrence`]); nothing here knows routes or status codes of its answers.

mod backlog;
mod backoff;
mod delivery;
mod envelope;
mod event;
mod filter;
mod layout;
mod lease;
mod leftovers;
mod occurrence;
mod outbox;
mod pulls;
mod queue;
mod refusals;
mod sender;
mod source;
#[cfg(test)]
mod testing;

use std::sync::{Arc, Mutex, PoisonError};

use berth_storage::ObjectStore;
use futures::future::{join_all, try_join_all};
use jiff::Timestamp;
use tokio::{sync::watch, task::JoinHandle};
use uuid::Uuid;

use self::{
    backoff::Backoff, delivery::Deliverer, filter::Filter, lease::Lease, outbox::Outbox, queue::Queue,
    sender::Sender,
};
use crate::{config, http_client, metrics::Notifications as Metrics};

pub use event::{Action, ActorRecord, Event, RequestRecord, SourceRecord, Target};
pub use occurrence::{Address, Occurrence};
pub use source::address_of;

/// How many events an envelope, or a batch of pulls, holds at most.
const MAX_EVENTS: usize = 64;

/// Why notifications cannot be sent as they are configured.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Requests to an endpoint cannot be made.
    #[error("notifications.endpoints: nothing can be sent to {endpoint:?}")]
    Endpoint {
        /// Its name.
        endpoint: String,
        /// What is wrong.
        source: http_client::Error,
    },
}

/// Tells the configured endpoints. Cheap to clone; it ends with the last clone, or with [`stop`](Self::stop).
#[derive(Clone, Debug, Default)]
pub struct Notifications(Option<Arc<Service>>);

#[derive(Debug)]
struct Service {
    include_references: bool,
    source: SourceRecord,
    outboxes: Vec<Arc<Outbox>>,
    stop: watch::Sender<bool>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

/// Tells the tasks when to stop.
#[derive(Clone, Debug)]
struct Stop(watch::Receiver<bool>);

impl Stop {
    fn is_asked(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }

    async fn asked(&mut self) {
        // An error says that nobody is left who could ask.
        let _ = self.0.wait_for(|asked| *asked).await;
    }
}

impl Notifications {
    /// Begins to deliver what waits in `store` and what will be [published](Self::publish). `addr` is the host name and
    /// port of this server, which no other replica has. What happens is counted in `metrics`.
    pub fn start(
        config: &config::Notifications,
        store: &Arc<dyn ObjectStore>,
        addr: String,
        metrics: &Metrics,
    ) -> Result<Self, Error> {
        let names = config.endpoints.iter().map(|endpoint| endpoint.name.clone()).collect();
        let leftovers = tokio::spawn(leftovers::remove(Arc::clone(store), names));
        if config.endpoints.is_empty() {
            return Ok(Self::default());
        }
        let instance = Uuid::new_v4();
        let source = SourceRecord { addr, instance_id: instance.to_string() };
        let replica = Replica { store, source: &source, writer: instance.as_fields().0, metrics };
        let opened: Result<Vec<_>, Error> =
            config.endpoints.iter().map(|endpoint| replica.open(endpoint)).collect();
        let (ask, stop) = watch::channel(false);
        let (mut outboxes, mut tasks) = (Vec::new(), vec![leftovers]);
        for (outbox, deliverer) in opened? {
            tasks.push(tokio::spawn(deliverer.run(Stop(stop.clone()))));
            tasks.push(tokio::spawn(Arc::clone(&outbox).write_pulls(Stop(stop.clone()))));
            outboxes.push(outbox);
        }
        let tasks = Mutex::new(tasks);
        let include_references = config.include_references;
        Ok(Self(Some(Arc::new(Service { include_references, source, outboxes, stop: ask, tasks }))))
    }

    /// Whether anybody is told of anything.
    pub fn are_sent(&self) -> bool {
        self.0.is_some()
    }

    /// Whether the events of manifests list what they refer to.
    pub fn include_references(&self) -> bool {
        self.0.as_ref().is_some_and(|service| service.include_references)
    }

    /// Sends events of what one request did to the targets, from now on. What tells of a change is in the storage when
    /// this returns.
    pub async fn publish(
        &self,
        request: RequestRecord,
        actor: ActorRecord,
        targets: Vec<(Action, Target)>,
    ) -> berth_storage::Result<()> {
        let Some(service) = &self.0 else { return Ok(()) };
        let timestamp = Timestamp::now();
        let events: Vec<_> = targets
            .into_iter()
            .map(|(action, target)| Event {
                id: Uuid::new_v4().to_string(),
                timestamp,
                action,
                target,
                request: request.clone(),
                actor: actor.clone(),
                source: service.source.clone(),
            })
            .map(Arc::new)
            .collect();
        try_join_all(service.outboxes.iter().map(|outbox| outbox.take(&events))).await.map(drop)
    }

    /// Ends: pulls are written to the storage, requests under way are waited for, and the rest is left for the next
    /// start.
    pub async fn stop(&self) {
        let Some(service) = &self.0 else { return };
        service.stop.send_replace(true);
        let tasks = std::mem::take(&mut *service.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        join_all(tasks).await;
    }
}

/// What the endpoints of this process have in common.
struct Replica<'a> {
    store: &'a Arc<dyn ObjectStore>,
    source: &'a SourceRecord,
    writer: u32,
    metrics: &'a Metrics,
}

impl Replica<'_> {
    fn open(&self, endpoint: &config::Endpoint) -> Result<(Arc<Outbox>, Deliverer), Error> {
        let name = &endpoint.name;
        let sender =
            Sender::new(endpoint).map_err(|source| Error::Endpoint { endpoint: name.clone(), source })?;
        let queue = Queue::new(Arc::clone(self.store), name, self.writer, self.metrics.clone());
        let outbox = Arc::new(Outbox::new(name.clone(), queue, Filter::of(endpoint)));
        let lease = Lease::new(Arc::clone(self.store), name, self.source.clone(), endpoint.timeout);
        let backoff = Backoff::new(endpoint.threshold, endpoint.backoff);
        let deliverer = Deliverer::new(Arc::clone(&outbox), sender, lease, backoff);
        Ok((outbox, deliverer))
    }
}
