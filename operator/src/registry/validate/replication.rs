//! The schedule of `spec.replication`.

use berth_crds::{Reason, replication::Replication};
use jiff::Timestamp;

use super::{Finding, schedule};
use crate::registry::cron::Schedule;

/// When copies are made, or what is wrong with the schedule; `None` when nothing is to be copied.
pub(super) fn validate(
    replication: Option<&Replication>,
    now: Timestamp,
) -> Option<Result<Schedule, Finding>> {
    let text = &replication?.schedule;
    Some(schedule::read(text, now).map_err(|problem| {
        let message = format!(
            "spec.replication.schedule {text:?}: {problem}; nothing is copied until it is corrected. \"@hourly\" is every hour"
        );
        Finding::bad(Reason::InvalidSchedule, message)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::validated;

    #[test]
    fn a_schedule_that_cannot_be_used_is_told_with_one_that_can() {
        let copies = "copies: [{name: a, from: 'https://a'}]";
        let validated =
            |schedule: &str| validated(&format!("{{replication: {{schedule: {schedule}, {copies}}}}}"));
        let wrong = validated("often").replication.unwrap().unwrap_err();
        assert_eq!(wrong.reason, Reason::InvalidSchedule);
        assert!(
            wrong.message.contains("\"often\"") && wrong.message.contains("@hourly"),
            "{}",
            wrong.message
        );
        assert!(validated("'@hourly'").replication.unwrap().is_ok());
    }
}
