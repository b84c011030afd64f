//! What is counted of notifications, by endpoint.

use hyper::StatusCode;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByEndpoint {
    endpoint: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByKind {
    r#type: &'static str,
    endpoint: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByStatus {
    code: String,
    endpoint: String,
}

/// What is counted of notifications. Endpoints are those of the configuration, so that their number has a bound.
#[derive(Clone, Debug, Default)]
pub struct Notifications {
    events: Family<ByKind, Counter>,
    pending: Family<ByEndpoint, Gauge>,
    status: Family<ByStatus, Counter>,
}

impl Notifications {
    /// Events were put into the queue of an endpoint.
    pub fn queued(&self, endpoint: &str, events: u64) {
        self.count("Events", endpoint, events);
    }

    /// The endpoint has answered, and has taken the events if `accepted`.
    pub fn answered(&self, endpoint: &str, status: StatusCode, accepted: bool, events: u64) {
        let code = match status.canonical_reason() {
            Some(reason) => format!("{} {reason}", status.as_u16()),
            None => status.as_u16().to_string(),
        };
        self.status.get_or_create(&ByStatus { code, endpoint: endpoint.to_owned() }).inc();
        self.count(if accepted { "Successes" } else { "Failures" }, endpoint, events);
    }

    /// The endpoint could not be reached with events.
    pub fn unreachable(&self, endpoint: &str, events: u64) {
        self.count("Errors", endpoint, events);
    }

    /// So many events wait in the queue of an endpoint.
    pub fn pending(&self, endpoint: &str, events: u64) {
        let waiting = i64::try_from(events).unwrap_or(i64::MAX);
        self.pending.get_or_create(&ByEndpoint { endpoint: endpoint.to_owned() }).set(waiting);
    }

    fn count(&self, kind: &'static str, endpoint: &str, events: u64) {
        let labels = ByKind { r#type: kind, endpoint: endpoint.to_owned() };
        self.events.get_or_create(&labels).inc_by(events);
    }

    /// Names everything for a collector, as Distribution does: its gauge ends in `_total` as well.
    pub(super) fn register(&self, registry: &mut Registry) {
        let notifications = registry.sub_registry_with_prefix("registry_notifications");
        notifications.register("events", "The number of total events", self.events.clone());
        notifications.register("pending_total", "The gauge of pending events in queue", self.pending.clone());
        notifications.register("status", "The number of status code", self.status.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_counted_by_what_became_of_them() {
        let notifications = Notifications::default();
        notifications.queued("ci", 3);
        notifications.answered("ci", StatusCode::OK, true, 2);
        notifications.answered("ci", StatusCode::BAD_GATEWAY, false, 1);
        notifications.pending("ci", 1);
        let count = |kind| {
            let labels = ByKind { r#type: kind, endpoint: "ci".to_owned() };
            notifications.events.get_or_create(&labels).get()
        };
        assert_eq!((count("Events"), count("Successes"), count("Failures"), count("Errors")), (3, 2, 1, 0));
        let status = ByStatus { code: "502 Bad Gateway".to_owned(), endpoint: "ci".to_owned() };
        assert_eq!(notifications.status.get_or_create(&status).get(), 1);
    }
}
