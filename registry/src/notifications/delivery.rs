//! Delivery to an endpoint: in order, at least once, until the endpoint takes it.
//!
//! Events leave the queue only after an answer of 2xx or 3xx. After any other answer, and after none, the same events
//! are sent again, at first one alone: so an endpoint that chokes on many gets few, and an event that it refuses does not
//! hold up the others. One that is refused alone for long enough is given up (see `refusals`).

use std::{collections::VecDeque, error::Error as StdError, sync::Arc, time::Duration};

use berth_storage::Result;
use hyper::StatusCode;
use tokio::time::{Instant, sleep};

use super::{
    MAX_EVENTS, Stop,
    backoff::Backoff,
    event::Event,
    layout::BatchName,
    lease::Lease,
    outbox::Outbox,
    refusals::{Refusals, is_refusal},
    sender::{self, Sender},
};

/// How often the queue is looked at for what other replicas have written, and for a lease that has become free.
const POLL: Duration = Duration::from_secs(2);

/// How long to wait after a failure of the storage.
const AFTER_STORAGE_FAILURE: Duration = Duration::from_secs(1);

/// Delivers the events of an outbox.
#[derive(Debug)]
pub(super) struct Deliverer {
    outbox: Arc<Outbox>,
    sender: Sender,
    lease: Lease,
    backoff: Backoff,
    refusals: Refusals,
    /// The oldest events of the queue.
    ahead: VecDeque<Queued>,
    /// How many events the next envelope may hold.
    at_once: usize,
}

/// An event from the queue.
#[derive(Debug)]
struct Queued {
    event: Event,
    /// The batch that is done with when this event is.
    ends: Option<BatchName>,
}

/// What to do before the next step.
enum Pause {
    None,
    /// Wait for something to be written.
    Idle,
    For(Duration),
}

impl Deliverer {
    /// Delivers from `outbox` by `sender` whenever it has the lease.
    pub(super) fn new(outbox: Arc<Outbox>, sender: Sender, lease: Lease, backoff: Backoff) -> Self {
        Self {
            outbox,
            sender,
            lease,
            backoff,
            refusals: Refusals::default(),
            ahead: VecDeque::new(),
            at_once: MAX_EVENTS,
        }
    }

    /// Delivers until it shall stop; a request that is under way then is waited for.
    pub(super) async fn run(mut self, mut stop: Stop) {
        while !stop.is_asked() {
            let pause = self.step().await.unwrap_or_else(|error| {
                self.warn(&error, "the storage of notifications fails; it is tried again");
                Pause::For(AFTER_STORAGE_FAILURE)
            });
            self.rest(pause, &mut stop).await;
        }
        if let Err(error) = self.lease.release().await {
            self.warn(&error, "another replica delivers notifications only after a while");
        }
    }

    async fn rest(&self, pause: Pause, stop: &mut Stop) {
        match pause {
            Pause::None => {}
            Pause::Idle => tokio::select! {
                () = self.outbox.queue.written() => {}
                () = sleep(POLL) => {}
                () = stop.asked() => {}
            },
            Pause::For(time) => tokio::select! {
                () = sleep(time) => {}
                () = stop.asked() => {}
            },
        }
    }

    /// Sends one envelope, if there is something to send and nobody else does it.
    async fn step(&mut self) -> Result<Pause> {
        let mut batches = Vec::new();
        if self.ahead.is_empty() {
            batches = self.outbox.queue.batches().await?;
            if batches.is_empty() {
                self.outbox.queue.caught_up();
                self.lease.release_when_idle().await?;
                return Ok(Pause::Idle);
            }
        }
        if !self.lease.hold().await? {
            // Whoever has the lease has delivered some of these meanwhile.
            self.ahead.clear();
            return Ok(Pause::Idle);
        }
        self.load(batches).await?;
        if self.ahead.is_empty() {
            return Ok(Pause::Idle);
        }
        let count = self.at_once.min(self.ahead.len());
        let answer = self.sender.send(self.ahead.iter().take(count).map(|queued| &queued.event)).await;
        self.settle(answer, count).await
    }

    /// Reads the first of the batches, enough for an envelope.
    async fn load(&mut self, batches: Vec<BatchName>) -> Result<()> {
        for batch in batches {
            if self.ahead.len() >= MAX_EVENTS {
                break;
            }
            let mut events = self.outbox.queue.read(&batch).await?;
            // There is no last one when the batch is gone.
            let Some(last) = events.pop() else { continue };
            self.ahead.extend(events.into_iter().map(|event| Queued { event, ends: None }));
            self.ahead.push_back(Queued { event: last, ends: Some(batch) });
        }
        Ok(())
    }

    async fn settle(&mut self, answer: Result<StatusCode, sender::Error>, count: usize) -> Result<Pause> {
        let accepted = answer.as_ref().is_ok_and(|status| status.is_success() || status.is_redirection());
        self.outbox.queue.count_attempt(answer.as_ref().ok().copied(), accepted, count);
        let refused = match answer {
            Ok(_) if accepted => return self.accepted(count).await,
            Ok(status) => {
                self.note_failure(&sender::Error::Status(status));
                is_refusal(status).then_some(status)
            }
            Err(error) => {
                self.note_failure(&error);
                None
            }
        };
        self.at_once = 1;
        if let Some(status) = refused.filter(|_| count == 1)
            && self.refusals.refused(Instant::now())
        {
            self.give_up(status).await?;
        }
        Ok(Pause::For(self.backoff.failed()))
    }

    async fn accepted(&mut self, count: usize) -> Result<Pause> {
        if self.backoff.failures() > 0 {
            let (endpoint, failures) = (&self.outbox.endpoint, self.backoff.failures());
            tracing::info!(endpoint, failures, "an endpoint takes notifications again");
        }
        self.backoff.succeeded();
        self.at_once = (self.at_once * 2).min(MAX_EVENTS);
        self.done_with(count).await?;
        Ok(Pause::None)
    }

    async fn give_up(&mut self, status: StatusCode) -> Result<()> {
        if let Some(Queued { event, .. }) = self.ahead.front() {
            tracing::error!(
                endpoint = self.outbox.endpoint,
                event = event.id,
                action = event.action.as_str(),
                repository = event.target.repository.as_str(),
                status = status.as_u16(),
                "an endpoint keeps refusing a notification, which is given up"
            );
        }
        self.done_with(1).await
    }

    /// Takes the first events off the queue.
    async fn done_with(&mut self, count: usize) -> Result<()> {
        self.refusals = Refusals::default();
        let ended: Vec<_> = self.ahead.drain(..count).filter_map(|queued| queued.ends).collect();
        for batch in ended {
            self.outbox.queue.remove(&batch).await?;
        }
        Ok(())
    }

    /// Tells the log when failures begin; what follows is of interest only to those who look for it.
    fn note_failure(&self, error: &(dyn StdError + 'static)) {
        let (endpoint, pending) = (&self.outbox.endpoint, self.outbox.queue.pending());
        if self.backoff.failures() == 0 {
            tracing::warn!(
                endpoint,
                error,
                pending,
                "an endpoint does not take notifications: they wait and are sent again"
            );
        } else {
            tracing::debug!(endpoint, error, pending, "an endpoint still does not take notifications");
        }
    }

    fn warn(&self, error: &(dyn StdError + 'static), message: &str) {
        tracing::warn!(endpoint = self.outbox.endpoint, error, "{message}");
    }
}
