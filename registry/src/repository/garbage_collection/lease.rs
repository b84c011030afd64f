//! One collector at a time: whoever collects says so in the storage, for a limited time, and again while it goes on.
//!
//! A lease whose time is over is anybody's. Of several who want it one gets it, because the storage replaces an object
//! only if it is still the one that was seen. A holder that could not renew its lease in time stops deleting
//! [`SAFE_FOR`] after the last time that it could.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use berth_storage::{Error as StorageError, PutCondition};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use crate::repository::documents::{read_document, write_document};
use crate::repository::state::State;
use crate::repository::{Error, Result, layout};

const DURATION: Duration = Duration::from_mins(1);

const RENEWED_EVERY: Duration = Duration::from_secs(15);

/// How long after the last renewal the holder goes on deleting; then it stops, well before others may begin.
const SAFE_FOR: Duration = Duration::from_secs(40);

/// Who collects, as it stands in the storage.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Holder {
    /// The name of the machine, or the pod, and of the run.
    pub(super) name: String,
    until: Timestamp,
}

impl Holder {
    fn is_over(&self, now: SystemTime) -> bool {
        SystemTime::from(self.until) <= now
    }
}

/// Who collects at the moment.
pub(super) async fn holder(state: &State) -> Result<Option<Holder>> {
    let found = read_document::<Holder>(&*state.store, &layout::collection::lease()).await?;
    let now = state.clock.now();
    Ok(found.map(|(_, holder)| holder).filter(|holder| !holder.is_over(now)))
}

/// The right to collect, which is renewed until it is given back.
#[derive(Debug)]
pub(super) struct Lease {
    state: Arc<State>,
    name: String,
    renewed: Arc<Mutex<Instant>>,
    stop: oneshot::Sender<()>,
    renewing: JoinHandle<()>,
}

impl Lease {
    /// Takes the lease, or tells who has it.
    pub(super) async fn take(state: &Arc<State>) -> Result<Result<Self, Holder>> {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let name = format!("{host}/{}", Uuid::new_v4().simple());
        loop {
            if let Some(holder) = holder(state).await? {
                return Ok(Err(holder));
            }
            let renewed = Instant::now();
            let now = state.clock.now();
            if write(state, &name, |holder| holder.is_none_or(|holder| holder.is_over(now))).await? {
                return Ok(Ok(Self::held(state, name, renewed)));
            }
        }
    }

    fn held(state: &Arc<State>, name: String, renewed: Instant) -> Self {
        let renewed = Arc::new(Mutex::new(renewed));
        let (stop, stopped) = oneshot::channel();
        let renewing = renew(Arc::clone(state), name.clone(), Arc::clone(&renewed), stopped);
        let renewing = tokio::spawn(renewing);
        Self { state: Arc::clone(state), name, renewed, stop, renewing }
    }

    /// Who holds it: a name that no other run has.
    pub(super) fn holder(&self) -> &str {
        &self.name
    }

    /// Fails when another collector might have begun.
    pub(super) fn check(&self) -> Result<()> {
        let renewed = *self.renewed.lock().unwrap_or_else(PoisonError::into_inner);
        if renewed.elapsed() < SAFE_FOR {
            return Ok(());
        }
        let late = std::io::Error::other("the lease could not be renewed in time");
        Err(Error::Unavailable(StorageError::Unavailable { key: layout::collection::lease(), source: late }))
    }

    /// Lets others collect.
    pub(super) async fn end(self) {
        let is_held = self.check().is_ok();
        drop(self.stop);
        if let Err(error) = self.renewing.await {
            tracing::warn!(%error, "the renewal of the lease of the garbage collection has failed");
        }
        if is_held && let Err(error) = self.state.store.delete(&layout::collection::lease()).await {
            tracing::warn!(%error, "the lease of the garbage collection ends by itself");
        }
    }
}

async fn renew(
    state: Arc<State>,
    name: String,
    renewed: Arc<Mutex<Instant>>,
    mut stopped: oneshot::Receiver<()>,
) {
    while timeout(RENEWED_EVERY, &mut stopped).await.is_err() {
        let now = Instant::now();
        match write(&state, &name, |holder| holder.is_some_and(|holder| holder.name == name)).await {
            Ok(true) => *renewed.lock().unwrap_or_else(PoisonError::into_inner) = now,
            // It is lost for good: what is on the list may have changed meanwhile.
            Ok(false) => return tracing::warn!("another process has taken the garbage collection over"),
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(error, "the lease of the garbage collection could not be renewed");
            }
        }
    }
}

/// Writes the lease if what stands there may be replaced; `false` if not, or when somebody else was faster. A lease that
/// cannot be read is nobody's.
async fn write(state: &State, name: &str, may_replace: impl Fn(Option<&Holder>) -> bool) -> Result<bool> {
    let key = layout::collection::lease();
    let found = state.read(&key).await?;
    let holder = found.as_ref().and_then(|(_, content)| serde_json::from_slice(content).ok());
    if !may_replace(holder.as_ref()) {
        return Ok(false);
    }
    let unchanged = match found {
        None => PutCondition::IfAbsent,
        Some((meta, _)) => meta.version.map_or(PutCondition::Always, PutCondition::IfVersion),
    };
    let until = Timestamp::try_from(state.clock.now() + DURATION).unwrap_or_default();
    let holder = Holder { name: name.to_owned(), until };
    match write_document(&*state.store, &key, &holder, unchanged).await {
        Err(StorageError::AlreadyExists(_) | StorageError::VersionMismatch(_)) => Ok(false),
        written => Ok(written.map(|()| true)?),
    }
}
