//! Health checks: what the configuration wants to be well is looked at in the background, and what is not is told.
//!
//! A check that fails takes the server out of service: registry requests are answered with 503 until it succeeds again,
//! and the probes name it. How that looks over HTTP is left to `api`.

mod check;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::future::join_all;
use tokio::time::MissedTickBehavior;

use self::check::Check;
use crate::{config, repository::Registry};

/// The checks of a server and how they stand. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<[Watched]>);

impl Health {
    /// The configured checks, which nobody has made yet. `driver` is the name of the registry's kind of storage.
    pub fn new(health: &config::Health, registry: &Registry, driver: &str) -> Self {
        Self(check::of(health, registry, driver).into_iter().map(Watched::new).collect())
    }

    /// What fails, by the names of the checks, with the reasons; empty when all is well.
    pub fn failing(&self) -> BTreeMap<String, String> {
        self.0.iter().filter_map(|watched| Some((watched.check.name.clone(), watched.failure()?))).collect()
    }

    /// Whether all is well.
    pub fn is_well(&self) -> bool {
        self.0.iter().all(|watched| watched.failure().is_none())
    }

    /// Makes the checks, each at its pace, for as long as the future is polled.
    pub async fn watch(self) {
        join_all(self.0.iter().map(Watched::watch)).await;
    }
}

/// A check and how it stands.
#[derive(Debug)]
struct Watched {
    check: Check,
    standing: Mutex<Standing>,
}

/// The failures since the last success.
#[derive(Debug, Default)]
struct Standing {
    in_a_row: u32,
    reason: String,
}

impl Watched {
    fn new(check: Check) -> Self {
        Self { check, standing: Mutex::default() }
    }

    async fn watch(&self) {
        let mut ticks = tokio::time::interval(self.check.pace.interval.max(Duration::from_millis(1)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.note(self.check.probe.make().await);
        }
    }

    /// Why the server is not well, if enough checks in a row have failed.
    fn failure(&self) -> Option<String> {
        let standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        (standing.in_a_row >= self.check.pace.threshold.max(1)).then(|| standing.reason.clone())
    }

    /// Takes in a result, and tells the log when it changes how the server stands.
    fn note(&self, result: Result<(), String>) {
        let before = self.failure();
        let mut standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        match result {
            Ok(()) => *standing = Standing::default(),
            Err(reason) => {
                *standing = Standing { in_a_row: standing.in_a_row.saturating_add(1), reason };
            }
        }
        drop(standing);
        let check = self.check.name.as_str();
        match (before, self.failure()) {
            (None, Some(reason)) => tracing::error!(check, reason, "a health check fails: out of service"),
            (Some(_), None) => tracing::info!(check, "a health check succeeds again"),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use berth_storage::Memory;

    use super::*;
    use crate::{
        config::{FileCheck, Pace},
        repository::Rules,
    };

    fn health(config: &config::Health) -> Health {
        Health::new(config, &Registry::new(Arc::new(Memory::new()), Rules::default()), "inmemory")
    }

    fn file(path: &Path) -> config::Health {
        let check = FileCheck { path: path.to_owned(), interval: Duration::from_secs(10) };
        config::Health { files: vec![check], ..config::Health::default() }
    }

    /// Lets the checks be made for some time of a clock that does not wait.
    async fn watch_for(health: &Health, time: Duration) {
        let _ = tokio::time::timeout(time, health.clone().watch()).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_takes_the_server_out_of_service_until_it_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("maintenance");
        let health = health(&file(&path));
        watch_for(&health, Duration::from_secs(1)).await;
        assert!(health.is_well());
        std::fs::write(&path, "").unwrap();
        watch_for(&health, Duration::from_secs(1)).await;
        let failing = health.failing();
        assert_eq!(failing[path.to_str().unwrap()], "file exists");
        std::fs::remove_file(&path).unwrap();
        watch_for(&health, Duration::from_secs(1)).await;
        assert!(health.is_well() && health.failing().is_empty());
    }

    #[test]
    fn failures_count_when_there_are_enough_in_a_row() {
        let pace = Pace { interval: Duration::from_secs(10), threshold: 3 };
        let health = health(&config::Health { storage: Some(pace), ..config::Health::default() });
        let watched = &health.0[0];
        let fail = || watched.note(Err("it burns".to_owned()));
        fail();
        fail();
        watched.note(Ok(()));
        fail();
        fail();
        assert!(health.is_well());
        fail();
        assert_eq!(health.failing()["storagedriver_inmemory"], "it burns");
        watched.note(Ok(()));
        assert!(health.is_well());
    }

    #[tokio::test(start_paused = true)]
    async fn a_storage_that_answers_is_well() {
        let pace = Pace { interval: Duration::from_secs(10), threshold: 1 };
        let health = health(&config::Health { storage: Some(pace), ..config::Health::default() });
        watch_for(&health, Duration::from_secs(30)).await;
        assert!(health.is_well());
    }

    #[test]
    fn a_server_without_checks_is_well() {
        assert!(Health::default().is_well());
    }
}
