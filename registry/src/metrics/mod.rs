//! Metrics: what the server counts of itself, and how a collector such as Prometheus reads it.
//!
//! Names and labels that the CNCF Distribution registry has are kept, so that its dashboards go on working; what is
//! ours begins with `berth_registry_`. No label takes values without bound: there is no name of a repository, user or
//! client in a label. Counting costs a request a few atomic operations; whatever can be looked up when a collector
//! asks is looked up then.

mod exposition;
mod garbage_collection;
mod mirrors;
mod notifications;
mod process;
mod requests;
mod state;
mod storage;

pub use exposition::{Exposition, Format};
pub use mirrors::{Mirrors, Pulled, Pulls};
pub use notifications::Notifications;
pub use requests::{Active, Authentication, Handler, Outcome, Requests};
pub use storage::Measured;

/// Everything that is counted while the server works. Cheap to clone; all clones count together.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    requests: Requests,
    storage: storage::Actions,
    notifications: Notifications,
    mirrors: Mirrors,
}

impl Metrics {
    /// What is counted of requests.
    pub fn requests(&self) -> &Requests {
        &self.requests
    }

    /// What is counted of mirrors.
    pub fn mirrors(&self) -> &Mirrors {
        &self.mirrors
    }

    /// What is counted of notifications.
    pub fn notifications(&self) -> &Notifications {
        &self.notifications
    }
}
