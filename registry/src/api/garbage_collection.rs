//! The garbage collection of the running server: a resource of our own below `/v2/_berth/`.

use std::time::Duration;

use axum::{extract::State, http::StatusCode};
use berth_oci::ErrorCode;
use serde::Deserialize;

use super::{
    Api,
    authorize::Administrator,
    body::Document,
    error::{Error, Result},
    location::Locations,
    respond::CollectionRun,
};
use crate::repository::{AlreadyRunning, Options};

/// What to collect; everything may be left out.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Order {
    #[serde(default)]
    delete_untagged: bool,
    minimum_age_seconds: Option<u64>,
    #[serde(default)]
    dry_run: bool,
}

impl From<Order> for Options {
    fn from(order: Order) -> Self {
        let default = Self::default();
        Self {
            delete_untagged: order.delete_untagged,
            dry_run: order.dry_run,
            minimum_age: order.minimum_age_seconds.map_or(default.minimum_age, Duration::from_secs),
            ..default
        }
    }
}

/// `GET /v2/_berth/garbage-collection`: the run that goes on, or the last one.
pub(super) async fn current(_: Administrator, State(api): State<Api>, locations: Locations) -> CollectionRun {
    let location = locations.garbage_collection();
    CollectionRun { status: StatusCode::OK, location, run: api.registry.garbage_collection().current() }
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
    Ok(match api.registry.garbage_collection().start(options) {
        Ok(run) => CollectionRun { status: StatusCode::ACCEPTED, location, run },
        Err(AlreadyRunning(run)) => CollectionRun { status: StatusCode::CONFLICT, location, run },
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
    }

    #[test]
    fn an_order_sets_what_it_names() {
        let order = br#"{"deleteUntagged": true, "minimumAgeSeconds": 60, "dryRun": true}"#;
        let options: Options = read(order).unwrap().into();
        assert!(options.delete_untagged && options.dry_run);
        assert_eq!(options.minimum_age, Duration::from_mins(1));
    }

    #[test]
    fn a_misspelt_order_is_refused() {
        assert!(read(br#"{"deleteUntaged": true}"#).unwrap_err().message.contains("deleteUntaged"));
    }
}
