//! Notifications to test, and events to send by them.

use std::{sync::Arc, time::Duration};

use berth_oci::{Digest, MediaType, RepositoryName};
use berth_registry::{
    config::{self, Endpoint},
    metrics,
    notifications::{Action, ActorRecord, Notifications, RequestRecord, Target},
};
use berth_storage::{Memory, ObjectStore};

/// An endpoint that fails fast and is tried again soon.
pub(crate) fn endpoint(name: &str, url: &str) -> Endpoint {
    Endpoint {
        name: name.to_owned(),
        url: url.parse().unwrap(),
        headers: Vec::new(),
        timeout: Duration::from_secs(20),
        threshold: 2,
        backoff: Duration::from_millis(20),
        ignored_media_types: Vec::new(),
        ignored_actions: Vec::new(),
    }
}

pub(crate) fn store() -> Arc<dyn ObjectStore> {
    Arc::new(Memory::new())
}

/// The notifications of the replica `addr`.
pub(crate) fn start_as(addr: &str, store: &Arc<dyn ObjectStore>, endpoints: &[Endpoint]) -> Notifications {
    let config = config::Notifications { include_references: false, endpoints: endpoints.to_vec() };
    Notifications::start(&config, store, addr.to_owned(), &metrics::Notifications::default()).unwrap()
}

pub(crate) fn start(store: &Arc<dyn ObjectStore>, endpoints: &[Endpoint]) -> Notifications {
    start_as("node:5000", store, endpoints)
}

/// Tells of a push to the repository.
pub(crate) async fn push(notifications: &Notifications, repository: &str) {
    tell(notifications, Action::Push, Target::repository(name(repository))).await;
}

/// Tells of a pull of content of that type.
pub(crate) async fn pull(notifications: &Notifications, repository: &str, media_type: &str) {
    let digest: Digest = format!("sha256:{}", "0".repeat(64)).parse().unwrap();
    let media_type: MediaType = media_type.parse().unwrap();
    tell(notifications, Action::Pull, Target::content(name(repository), media_type, digest, 7)).await;
}

fn name(repository: &str) -> RepositoryName {
    repository.parse().unwrap()
}

async fn tell(notifications: &Notifications, action: Action, target: Target) {
    let request = RequestRecord {
        id: "request".to_owned(),
        addr: None,
        host: Some("hub.example.com".to_owned()),
        method: "PUT".to_owned(),
        user_agent: "test/0.1".to_owned(),
    };
    notifications.publish(request, ActorRecord::default(), vec![(action, target)]).await.unwrap();
}
