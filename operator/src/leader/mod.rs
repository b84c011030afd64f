//! One writer of several operators: the one that holds a Lease, for as long as it is certain of it.
//!
//! [`election`] decides, [`Elector`] asks and tells the API server, and [`Leadership`] says to everybody else whether this
//! operator leads. Certainty ends by itself, without a request, before another operator can take over.

pub mod clock;
pub mod election;

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use kube::{
    Api, Client,
    api::{ObjectMeta, PostParams},
};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use tracing::{debug, info, warn};

use crate::{backoff::jittered, config::ObjectName, health::Outstanding};
use clock::Moment;
use election::{CERTAIN, Election};

/// How often the holder renews the lease; several attempts fit into [`CERTAIN`].
const RENEWAL: Duration = Duration::from_secs(2);

/// How often the others look whether it is free, which is how long a released lease stays free.
const LOOK: Duration = Duration::from_secs(1);

/// How long one attempt may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// Whether this operator leads.
#[derive(Clone, Debug)]
pub struct Leadership(watch::Receiver<Moment>);

/// Stands for election until it is told to resign.
#[derive(Debug)]
pub struct Elector {
    leases: Api<Lease>,
    name: String,
    election: Election,
    certain_until: watch::Sender<Moment>,
}

impl Leadership {
    /// The leadership of an operator that has no rivals.
    pub fn undisputed() -> Self {
        Self(watch::channel(Moment::MAX).1)
    }

    /// The leadership of an operator that never leads.
    #[cfg(test)]
    pub(crate) fn none() -> Self {
        Self(watch::channel(Moment::ZERO).1)
    }

    /// Whether this operator leads at this moment.
    pub fn is_certain(&self) -> bool {
        clock::now() < *self.0.borrow()
    }

    /// Waits until this operator leads.
    pub async fn won(&mut self) {
        while !self.is_certain() && self.0.changed().await.is_ok() {}
    }

    /// Waits until it does not any more.
    pub async fn lost(&mut self) {
        loop {
            let left = self.0.borrow_and_update().saturating_sub(clock::now());
            if left.is_zero() {
                return;
            }
            tokio::select! {
                // Without an elector, what is left of the lease is the last of it.
                changed = self.0.changed() => if changed.is_err() { sleep(left).await },
                () = sleep(left) => {}
            }
        }
    }
}

/// A candidate for the lease of that name, and what it achieves.
pub fn stand(client: Client, lease: &ObjectName) -> (Elector, Leadership) {
    let (certain_until, leadership) = watch::channel(Moment::ZERO);
    let elector = Elector {
        leases: Api::namespaced(client, &lease.namespace),
        name: lease.name.clone(),
        election: Election::new(identity()),
        certain_until,
    };
    (elector, Leadership(leadership))
}

/// The pod's name, so that people can tell who leads, and a number, because a pod that is restarted keeps its name.
fn identity() -> String {
    let pod = std::env::var("HOSTNAME").unwrap_or_else(|_| "operator".to_owned());
    let number = getrandom::u64().unwrap_or_else(|_| u64::from(std::process::id()));
    format!("{pod}-{number:016x}")
}

impl Elector {
    /// Takes the lease when it is free and renews it, until `resign` resolves; then gives it back. `unread` is told
    /// when the lease could be read.
    pub async fn run(mut self, unread: Outstanding, resign: impl Future<Output = ()>) {
        let mut unread = Some(unread);
        tokio::pin!(resign);
        loop {
            match timeout(PATIENCE, self.round()).await {
                Ok(Ok(())) => unread.take().into_iter().for_each(Outstanding::done),
                Ok(Err(error)) => {
                    warn!(
                        lease = self.name,
                        error = &error as &dyn std::error::Error,
                        "the lease could not be had"
                    );
                }
                Err(_) => warn!(lease = self.name, "the API server did not answer about the lease in time"),
            }
            let pause = if *self.certain_until.borrow() > clock::now() { RENEWAL } else { LOOK };
            tokio::select! {
                () = sleep(jittered(pause)) => {}
                () = &mut resign => break,
            }
        }
        self.resign().await;
    }

    /// Looks at the lease, and takes or renews it if possible.
    async fn round(&mut self) -> Result<(), kube::Error> {
        let read = self.leases.get_opt(&self.name).await?;
        // Certainty begins before the request, because nobody knows when within it the record was stored.
        let since = clock::now();
        let Some(record) = self.election.claim(read.as_ref(), since, Timestamp::now()) else {
            self.certain_until.send_replace(Moment::ZERO);
            return Ok(());
        };
        match self.write(read, record).await {
            Ok(()) => {
                let before = self.certain_until.send_replace(since.saturating_add(CERTAIN));
                if before <= since {
                    info!(lease = self.name, "leading");
                }
                Ok(())
            }
            Err(kube::Error::Api(status)) if status.code == 409 => {
                debug!(lease = self.name, "another was faster");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Writes the record, if the Lease is still the one that was read.
    async fn write(&self, read: Option<Lease>, record: LeaseSpec) -> Result<(), kube::Error> {
        let spec = Some(record);
        if let Some(read) = read {
            let lease = Lease { spec, ..read };
            self.leases.replace(&self.name, &PostParams::default(), &lease).await?;
        } else {
            let metadata = ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() };
            self.leases.create(&PostParams::default(), &Lease { metadata, spec }).await?;
        }
        Ok(())
    }

    /// Stops leading, and then lets the others know, so that they need not wait.
    async fn resign(self) {
        self.certain_until.send_replace(Moment::ZERO);
        let release = async {
            let Some(read) = self.leases.get_opt(&self.name).await? else { return Ok(()) };
            match self.election.release(&read) {
                Some(record) => self.write(Some(read), record).await,
                None => Ok(()),
            }
        };
        match timeout(PATIENCE, release).await {
            Ok(Ok(())) => debug!(lease = self.name, "released"),
            Ok(Err(error)) => {
                warn!(
                    error = &error as &dyn std::error::Error,
                    "the lease could not be released; it expires"
                );
            }
            Err(_) => warn!("the lease could not be released in time; it expires"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn leadership_ends_by_itself() {
        let (certain_until, receiver) = watch::channel(clock::now() + Duration::from_millis(20));
        let mut leadership = Leadership(receiver);
        leadership.won().await;
        leadership.lost().await;
        assert!(!leadership.is_certain());
        certain_until.send_replace(Moment::MAX);
        leadership.won().await;
        assert!(leadership.is_certain());
    }

    #[tokio::test]
    async fn leadership_that_is_taken_away_ends_at_once() {
        let (certain_until, receiver) = watch::channel(Moment::MAX);
        let mut leadership = Leadership(receiver);
        assert!(leadership.is_certain());
        certain_until.send_replace(Moment::ZERO);
        leadership.lost().await;
    }
}
