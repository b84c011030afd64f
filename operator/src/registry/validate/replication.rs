//! The schedules of `spec.replication`.

use std::collections::BTreeMap;

use berth_crds::{
    Reason,
    replication::{Replication, ReplicationCopy},
};
use jiff::Timestamp;

use super::{Finding, schedule};
use crate::cron::Schedule;

/// When each copy is made, by its name, or what is wrong with its schedule.
pub type Schedules = BTreeMap<String, Result<Schedule, Finding>>;

pub(super) fn validate(replication: Option<&Replication>, now: Timestamp) -> Schedules {
    let Some(Replication { copies, schedule: shared, .. }) = replication else { return Schedules::new() };
    let schedule = |copy: &ReplicationCopy| match &copy.schedule {
        Some(own) => {
            let place = format!("spec.replication.copies: the schedule {own:?} of {:?}", copy.name);
            read(own, &place, now)
        }
        None => read(shared, &format!("spec.replication.schedule {shared:?}"), now),
    };
    copies.iter().map(|copy| (copy.name.clone(), schedule(copy))).collect()
}

fn read(text: &str, place: &str, now: Timestamp) -> Result<Schedule, Finding> {
    schedule::read(text, now).map_err(|problem| {
        let message = format!(
            "{place}: {problem}; nothing is copied by it until it is corrected. \"@hourly\" is every hour"
        );
        Finding::bad(Reason::InvalidSchedule, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::validated;

    #[test]
    fn a_schedule_that_cannot_be_used_is_told_with_one_that_can() {
        let schedules = |more: &str| validated(&format!("{{replication: {{{more}}}}}")).replication;
        let wrong = schedules("schedule: often, copies: [{name: a, from: 'https://a'}]");
        let wrong = wrong["a"].as_ref().unwrap_err();
        assert_eq!(wrong.reason, Reason::InvalidSchedule);
        assert!(
            wrong.message.starts_with("spec.replication.schedule \"often\"")
                && wrong.message.contains("@hourly"),
            "{}",
            wrong.message
        );
        let own = schedules(
            "copies: [{name: a, from: 'https://a', schedule: often}, {name: b, from: 'https://b'}]",
        );
        let wrong = own["a"].as_ref().unwrap_err();
        assert!(wrong.message.contains("\"often\" of \"a\""), "{}", wrong.message);
        assert!(own["b"].is_ok());
    }
}
