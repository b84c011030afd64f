//! The garbage collection of the registry: a resource of our own below `/v2/_berth/`.

use std::time::Duration;

use axum::{extract::State, http::StatusCode};
use berth_oci::ErrorCode;
use futures::{Stream, StreamExt, stream};
use serde::Deserialize;
use tokio::time::sleep;

use super::{
    Api,
    authorize::Administrator,
    body::Document,
    error::{Error, Result},
    location::Locations,
    query::Parameters,
    respond::CollectionRun,
};
use crate::repository::{GarbageCollection, NotStarted, Options, Run, RunState};

/// How often whoever watches a run is told how far it is.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);

/// What to collect; everything may be left out.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Order {
    delete_untagged: bool,
    minimum_age_seconds: Option<u64>,
    quarantine_seconds: Option<u64>,
    finish: bool,
    dry_run: bool,
}

impl From<Order> for Options {
    fn from(order: Order) -> Self {
        let default = Self {
            delete_untagged: order.delete_untagged,
            finish: order.finish,
            dry_run: order.dry_run,
            ..Self::default()
        };
        let minimum_age = order.minimum_age_seconds.map_or(default.minimum_age, Duration::from_secs);
        let quarantine = order.quarantine_seconds.map(Duration::from_secs);
        default.with_ages(minimum_age, quarantine)
    }
}

/// `GET /v2/_berth/garbage-collection`: the run that goes on, or the last one; with `watch`, how it goes on to its end.
pub(super) async fn current(
    _: Administrator,
    State(api): State<Api>,
    locations: Locations,
    parameters: Parameters,
) -> Result<CollectionRun> {
    let location = locations.garbage_collection();
    let collection = api.registry.garbage_collection();
    let run = collection.current().await?;
    if parameters.has("watch") {
        return Ok(CollectionRun::Watched(watch(collection.clone(), run).boxed()));
    }
    Ok(CollectionRun::Told { status: StatusCode::OK, location, run: Box::new(run) })
}

/// `POST /v2/_berth/garbage-collection`: starts a run, unless one goes on.
pub(super) async fn start(
    _: Administrator,
    State(api): State<Api>,
    locations: Locations,
    Document(order): Document,
) -> Result<CollectionRun> {
    let options = read(&order)?.into();
    let location = locations.garbage_collection();
    let (status, run) = match api.registry.garbage_collection().start(options).await {
        Ok(run) => (StatusCode::ACCEPTED, Box::new(run)),
        Err(NotStarted::AlreadyRunning(run)) => (StatusCode::CONFLICT, run),
        Err(NotStarted::Failed(error)) => return Err(error.into()),
    };
    Ok(CollectionRun::Told { status, location, run })
}

/// The run now, and whenever there is something new of it, until it ends.
fn watch(collection: GarbageCollection, run: Run) -> impl Stream<Item = Run> {
    stream::unfold((collection, Some(run.clone()), Some(run)), |(collection, next, last)| async move {
        let last = last?;
        if let Some(next) = next {
            let goes_on = next.state == RunState::Running;
            return Some((next, (collection, None, goes_on.then_some(last))));
        }
        loop {
            sleep(WATCH_INTERVAL).await;
            // Whoever sees the stream end without an end of the run asks again.
            let run = collection.current().await.ok()?;
            if run != last {
                let goes_on = run.state == RunState::Running;
                return Some((run.clone(), (collection, None, goes_on.then_some(run))));
            }
        }
    })
}

fn read(order: &[u8]) -> Result<Order> {
    if order.is_empty() {
        return Ok(Order::default());
    }
    serde_json::from_slice(order).map_err(|error| {
        let told = format!("the body must be JSON such as {{\"deleteUntagged\": true}}: {error}");
        Error::bad_request(ErrorCode::Unsupported, told)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_order_spares_what_is_younger_than_a_day() {
        let options: Options = read(b"").unwrap().into();
        assert_eq!(options, Options::default());
        assert_eq!(options.minimum_age, Duration::from_hours(24));
        assert_eq!(options.quarantine, Duration::from_hours(18));
    }

    #[test]
    fn an_order_sets_what_it_names() {
        let order =
            br#"{"deleteUntagged": true, "minimumAgeSeconds": 60, "quarantineSeconds": 30, "dryRun": true}"#;
        let options: Options = read(order).unwrap().into();
        assert!(options.delete_untagged && options.dry_run && !options.finish);
        assert_eq!(
            (options.minimum_age, options.quarantine),
            (Duration::from_mins(1), Duration::from_secs(30))
        );
    }

    #[test]
    fn the_quarantine_is_never_so_short_that_another_replica_does_not_know_of_it() {
        let options: Options = read(br#"{"minimumAgeSeconds": 0, "quarantineSeconds": 0}"#).unwrap().into();
        assert_eq!(options.quarantine, Options::SHORTEST_QUARANTINE);
    }

    #[test]
    fn a_misspelt_order_is_refused() {
        assert!(read(br#"{"deleteUntaged": true}"#).unwrap_err().message.contains("deleteUntaged"));
    }
}
