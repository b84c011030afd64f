//! How far copies are behind. Each is judged by its own schedule: an hour is much for one and nothing for another.

use std::time::Duration;

use berth_crds::{
    Registry,
    collection_run::CollectionResult,
    replication::{CopyStatus, Replication, ReplicationCopy},
};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use crate::cron::{self, Schedule};

/// How much later than it begins a run may end: longer ones are ended.
pub const LONGEST_RUN: SignedDuration = SignedDuration::from_hours(24);

/// How a copy is, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It has what its schedule promises.
    Current,
    /// Its last run failed.
    Failed,
    /// It has missed its schedule.
    Lagging,
    /// No schedule makes it now.
    Suspended,
}

/// When a copy is made, as the spec writes it.
pub fn schedule<'a>(replication: &'a Replication, copy: &'a ReplicationCopy) -> &'a str {
    copy.schedule.as_ref().unwrap_or(&replication.schedule)
}

/// The time zone of the schedules; `None` for one that is unknown here, even if the API server takes it.
pub fn time_zone(replication: &Replication) -> Option<TimeZone> {
    replication.time_zone.as_deref().map_or(Some(TimeZone::UTC), cron::time_zone)
}

/// From when on a copy lags that has everything until `current_as_of`. The first run after that may take until the next one should
/// begin, or until it is ended for its length.
pub fn late_at(schedule: &Schedule, zone: &TimeZone, current_as_of: Timestamp) -> Option<Timestamp> {
    let due = schedule.next(current_as_of, zone)?;
    let next = schedule.next(due, zone)?;
    Some(due.checked_add(LONGEST_RUN).map_or(next, |ended| ended.min(next)))
}

/// Whether a copy is late already.
pub fn is_late(schedule: &Schedule, zone: &TimeZone, copy: &CopyStatus, now: Timestamp) -> bool {
    late_at(schedule, zone, copy.current_as_of.0).is_some_and(|late| late <= now)
}

/// How long until a copy of this Registry becomes late that is not; `None` when none does.
pub fn next_turn(replication: &Replication, copies: &[CopyStatus], now: Timestamp) -> Option<Duration> {
    let zone = time_zone(replication)?;
    let turns = replication.copies.iter().filter_map(|copy| {
        let known = copies.iter().find(|known| known.name == copy.name)?;
        let schedule = Schedule::parse(schedule(replication, copy)).ok()?;
        late_at(&schedule, &zone, known.current_as_of.0)
    });
    let next = turns.filter(|turn| *turn > now).min()?;
    Duration::try_from(next.duration_since(now)).ok()
}

/// How each copy of a Registry is, and since when it has not changed.
pub fn states(registry: &Registry, now: Timestamp) -> Vec<(State, Timestamp)> {
    let replication = registry.spec.replication.as_ref();
    let status = registry.status.as_ref().and_then(|status| status.replication.as_ref());
    let (Some(replication), Some(status)) = (replication, status) else { return Vec::new() };
    let is_stopped = replication.suspend || registry.spec.replicas == 0;
    let judged = |copy: &ReplicationCopy| {
        let known = status.copies.iter().find(|known| known.name == copy.name)?;
        let schedule = Schedule::parse(schedule(replication, copy)).ok().zip(time_zone(replication));
        let state = match schedule {
            _ if is_stopped => State::Suspended,
            Some((schedule, zone)) if is_late(&schedule, &zone, known, now) => State::Lagging,
            _ if known.result == Some(CollectionResult::Failed) => State::Failed,
            _ => State::Current,
        };
        Some((state, known.current_as_of.0))
    };
    replication.copies.iter().filter_map(judged).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fixtures;

    fn late(schedule: &str, current_as_of: &str) -> String {
        let schedule = Schedule::parse(schedule).unwrap();
        late_at(&schedule, &TimeZone::UTC, current_as_of.parse().unwrap()).unwrap().to_string()
    }

    #[test]
    fn a_run_may_take_until_the_next_one_but_not_for_ever() {
        assert_eq!(late("@hourly", "2026-03-01T03:00:04Z"), "2026-03-01T05:00:00Z");
        assert_eq!(late("*/5 * * * *", "2026-03-01T03:00:04Z"), "2026-03-01T03:10:00Z");
        assert_eq!(late("@monthly", "2026-03-01T00:00:04Z"), "2026-04-02T00:00:00Z");
    }

    #[test]
    fn each_copy_is_judged_by_its_own_schedule() {
        let spec = "{replication: {schedule: '@weekly', copies: [
            {name: a, from: 'https://a'}, {name: b, from: 'https://b', schedule: '@hourly'}, {name: new, to: 'https://c'}]}}";
        let mut registry = fixtures::registry(spec);
        let copy =
            |name: &str| json!({"name": name, "currentAsOf": "2026-03-01T03:00:00Z", "result": "Failed"});
        let status = json!({"replication": {"copies": [copy("a"), copy("b")]}});
        registry.status = serde_json::from_value(status).unwrap();
        let judged = |registry: &Registry, now: &str| -> Vec<State> {
            super::states(registry, now.parse().unwrap()).into_iter().map(|(state, _)| state).collect()
        };
        assert_eq!(judged(&registry, "2026-03-01T04:59:59Z"), [State::Failed, State::Failed]);
        assert_eq!(judged(&registry, "2026-03-01T05:00:00Z"), [State::Failed, State::Lagging]);
        registry.spec.replicas = 0;
        assert_eq!(judged(&registry, "2026-03-01T05:00:00Z"), [State::Suspended, State::Suspended]);
    }

    #[test]
    fn it_is_looked_at_again_when_a_copy_becomes_late() {
        let registry = fixtures::registry(
            "{replication: {copies: [{name: a, from: 'https://a'}, {name: b, from: 'https://b', schedule: '@daily'}]}}",
        );
        let replication = registry.spec.replication.unwrap();
        let copies = ["a", "b"].map(|name| json!({"name": name, "currentAsOf": "2026-03-01T03:00:00Z"}));
        let copies: Vec<CopyStatus> = serde_json::from_value(json!(copies)).unwrap();
        let turn = |now: &str| next_turn(&replication, &copies, now.parse().unwrap());
        assert_eq!(turn("2026-03-01T04:30:00Z"), Some(Duration::from_mins(30)));
        assert_eq!(turn("2026-03-01T05:00:00Z"), Some(Duration::from_hours(43)));
        assert_eq!(turn("2026-03-09T00:00:00Z"), None);
    }
}
