//! What the operator tells collectors, as `OpenMetrics` text. No label holds the name of an object: there are as many
//! series in a cluster with ten thousand Registries as in one with ten.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, OnceLock, PoisonError},
    time::Duration,
};

use berth_crds::{ConditionType, Reason, Registry};
use hyper::Method;
use jiff::Timestamp;
use kube::{core::DeserializeGuard, runtime::reflector::Store};
use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::Registry as Names,
};

use crate::{
    lag::{self, State},
    leader::Leadership,
};

/// The media type of the page.
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Seconds: most reconciliations take some tens of milliseconds, and none more than a minute.
const BUCKETS: [f64; 10] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0];

/// What is counted, and what is looked up when somebody asks.
#[derive(Debug)]
pub struct Metrics {
    names: Names,
    reconciliations: Family<Outcome, Counter>,
    errors: Family<Failure, Counter>,
    duration: Histogram,
    requests: Family<Asked, Counter>,
    leader: Gauge,
    registries: Family<Told, Gauge>,
    copies: Family<Copies, Gauge>,
    copy_lag: Gauge,
    leadership: OnceLock<Leadership>,
    known: Mutex<Vec<Store<DeserializeGuard<Registry>>>>,
}

/// Why a reconciliation failed.
#[derive(EncodeLabelValue, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureReason {
    /// The API server could not be reached, or could not answer.
    Api,
    /// It took too long.
    Timeout,
    /// Something random or signed could not be made.
    Issue,
    /// The API server refused an object.
    Rejected,
}

#[derive(EncodeLabelSet, Clone, Debug, PartialEq, Eq, Hash)]
struct Outcome {
    result: ResultLabel,
}

#[derive(EncodeLabelValue, Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum ResultLabel {
    Success,
    Failure,
}

#[derive(EncodeLabelSet, Clone, Debug, PartialEq, Eq, Hash)]
struct Failure {
    reason: FailureReason,
}

#[derive(EncodeLabelSet, Clone, Debug, PartialEq, Eq, Hash)]
struct Asked {
    method: String,
    code: String,
}

/// The reason of the condition `Ready`.
#[derive(EncodeLabelSet, Clone, Debug, PartialEq, Eq, Hash)]
struct Told {
    reason: String,
}

/// How copies of `spec.replication` are.
#[derive(EncodeLabelSet, Clone, Debug, PartialEq, Eq, Hash)]
struct Copies {
    state: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            names: Names::with_prefix("berth_operator"),
            reconciliations: Family::default(),
            errors: Family::default(),
            duration: Histogram::new(BUCKETS),
            requests: Family::default(),
            leader: Gauge::default(),
            registries: Family::default(),
            copies: Family::default(),
            copy_lag: Gauge::default(),
            leadership: OnceLock::new(),
            known: Mutex::default(),
        };
        metrics.name();
        metrics
    }
}

impl Metrics {
    fn name(&mut self) {
        let names = &mut self.names;
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        names.register("build", "The release that runs", build);
        names.register("leader", "1 while this operator is the one that writes", self.leader.clone());
        names.register(
            "registries",
            "Registries by the reason of their condition Ready; told by the leader only",
            self.registries.clone(),
        );
        names.register(
            "copies",
            "Copies of spec.replication by how they are; told by the leader only",
            self.copies.clone(),
        );
        names.register(
            "copy_lag_seconds",
            "How far the copy is behind that is farthest behind; told by the leader only",
            self.copy_lag.clone(),
        );
        names.register("reconciliations", "Reconciliations by result", self.reconciliations.clone());
        names.register("reconciliation_errors", "Failed reconciliations by reason", self.errors.clone());
        names.register(
            "reconciliation_duration_seconds",
            "How long reconciliations took",
            self.duration.clone(),
        );
        names.register(
            "api_requests",
            "Requests to the API server by method and by status code, which is none when there was no answer",
            self.requests.clone(),
        );
    }

    /// A reconciliation ended.
    pub fn reconciled(&self, took: Duration, failure: Option<FailureReason>) {
        let result = if failure.is_some() { ResultLabel::Failure } else { ResultLabel::Success };
        self.reconciliations.get_or_create(&Outcome { result }).inc();
        self.duration.observe(took.as_secs_f64());
        if let Some(reason) = failure {
            self.errors.get_or_create(&Failure { reason }).inc();
        }
    }

    /// The API server was asked; it answered with this status code, or not at all.
    pub fn asked(&self, method: &Method, code: Option<u16>) {
        let code = code.map_or_else(|| "none".to_owned(), |code| code.to_string());
        self.requests.get_or_create(&Asked { method: method.to_string(), code }).inc();
    }

    /// Who knows whether this operator leads.
    pub fn tell_leadership(&self, leadership: Leadership) {
        // There is only one election in the life of a process.
        let _first = self.leadership.set(leadership);
    }

    /// These Registries are this operator's.
    pub fn count_registries(&self, known: Store<DeserializeGuard<Registry>>) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).push(known);
    }

    /// No Registry is this operator's any more.
    pub fn forget_registries(&self) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The page.
    pub fn render(&self) -> String {
        self.look_up();
        let mut page = String::new();
        // Writing to a String does not fail.
        let _written: fmt::Result = text::encode(&mut page, &self.names);
        page
    }

    fn look_up(&self) {
        let leads = self.leadership.get().is_some_and(Leadership::is_certain);
        self.leader.set(i64::from(leads));
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // A leader without Registries says so, instead of nothing.
        let none = leads.then(|| (Reason::Ready.to_string(), 0));
        let mut counts: BTreeMap<String, i64> = none.into_iter().collect();
        for registry in known.iter().flat_map(Store::state) {
            *counts.entry(reason(&registry)).or_default() += 1;
        }
        self.registries.clear();
        for (reason, count) in counts {
            self.registries.get_or_create(&Told { reason }).set(count);
        }
        self.look_up_copies(leads, &known);
    }

    fn look_up_copies(&self, leads: bool, known: &[Store<DeserializeGuard<Registry>>]) {
        let now = Timestamp::now();
        self.copies.clear();
        if leads {
            self.copies.get_or_create(&Copies { state: word(State::Current) }).set(0);
        }
        let mut oldest = now;
        for registry in known.iter().flat_map(Store::state) {
            let states = registry.0.as_ref().map(|registry| lag::states(registry, now)).unwrap_or_default();
            for (state, current_as_of) in states {
                self.copies.get_or_create(&Copies { state: word(state) }).inc();
                if state != State::Suspended {
                    oldest = oldest.min(current_as_of);
                }
            }
        }
        self.copy_lag.set(now.duration_since(oldest).as_secs());
    }
}

fn word(state: State) -> &'static str {
    match state {
        State::Current => "Current",
        State::Failed => "Failed",
        State::Lagging => "Lagging",
        State::Suspended => "Suspended",
    }
}

/// Why a Registry is ready or not, in its own word.
fn reason(registry: &DeserializeGuard<Registry>) -> String {
    let parsed: Option<&Registry> = registry.0.as_ref().ok();
    let conditions = parsed.and_then(|registry| registry.status.as_ref()).map(|status| &status.conditions);
    let ready = conditions
        .and_then(|conditions| conditions.iter().find(|one| one.type_ == ConditionType::Ready.as_str()));
    ready.map_or_else(|| "Unknown".to_owned(), |ready| ready.reason.clone())
}

#[cfg(test)]
mod tests {
    use kube::{
        core::DeserializeGuard,
        runtime::{reflector, watcher::Event},
    };
    use serde_json::json;

    use super::*;
    use crate::fixtures;

    #[test]
    fn reconciliations_are_counted_by_result_and_failures_by_reason() {
        let metrics = Metrics::default();
        metrics.reconciled(Duration::from_millis(20), None);
        metrics.reconciled(Duration::from_secs(2), Some(FailureReason::Timeout));
        let page = metrics.render();
        for line in [
            r#"berth_operator_reconciliations_total{result="Success"} 1"#,
            r#"berth_operator_reconciliations_total{result="Failure"} 1"#,
            r#"berth_operator_reconciliation_errors_total{reason="Timeout"} 1"#,
            r#"berth_operator_reconciliation_duration_seconds_bucket{le="0.025"} 1"#,
            "berth_operator_reconciliation_duration_seconds_count 2",
        ] {
            assert!(page.contains(line), "{line} is not in:\n{page}");
        }
    }

    #[test]
    fn registries_are_counted_by_reason_until_they_are_another_operators() {
        let metrics = Metrics::default();
        let (store, mut writer) = reflector::store();
        let mut ready = fixtures::registry("{}");
        let condition = json!({
            "type": "Ready", "status": "True", "reason": "Ready", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        });
        ready.status = serde_json::from_value(json!({"conditions": [condition]})).unwrap();
        writer.apply_watcher_event(&Event::Apply(DeserializeGuard(Ok(ready))));
        metrics.count_registries(store);
        let line = r#"berth_operator_registries{reason="Ready"} 1"#;
        assert!(metrics.render().contains(line), "{}", metrics.render());

        metrics.forget_registries();
        assert!(!metrics.render().contains("berth_operator_registries{"), "{}", metrics.render());
    }

    #[test]
    fn copies_are_counted_by_how_they_are_and_the_lag_is_that_of_the_last() {
        let metrics = Metrics::default();
        let (store, mut writer) = reflector::store();
        let mut registry = fixtures::registry(
            "{replication: {copies: [{name: a, from: 'https://a'}, {name: b, from: 'https://b', schedule: '@yearly'}]}}",
        );
        let ago = |hours| Timestamp::now() - jiff::SignedDuration::from_hours(hours);
        let copies = json!([{"name": "a", "currentAsOf": ago(3)}, {"name": "b", "currentAsOf": ago(1)}]);
        registry.status = serde_json::from_value(json!({"replication": {"copies": copies}})).unwrap();
        writer.apply_watcher_event(&Event::Apply(DeserializeGuard(Ok(registry))));
        metrics.count_registries(store);
        let page = metrics.render();
        for line in [
            r#"berth_operator_copies{state="Lagging"} 1"#,
            r#"berth_operator_copies{state="Current"} 1"#,
            "berth_operator_copy_lag_seconds 108",
        ] {
            assert!(page.contains(line), "{line} is not in:\n{page}");
        }
    }

    #[test]
    fn the_leader_and_the_release_are_told() {
        let metrics = Metrics::default();
        assert!(metrics.render().contains("\nberth_operator_leader 0\n"));
        metrics.tell_leadership(Leadership::undisputed());
        let page = metrics.render();
        assert!(page.contains("\nberth_operator_leader 1\n"), "{page}");
        assert!(page.contains(r#"berth_operator_build_info{version="0.1.0"} 1"#), "{page}");
    }
}
