//! The schedule of the garbage collection.

use berth_crds::{Reason, gc::GarbageCollection};
use jiff::{Timestamp, tz::TimeZone};

use super::Finding;
use crate::cron::{self, Schedule};

pub(super) fn validate(gc: &GarbageCollection, now: Timestamp) -> Result<Schedule, Finding> {
    let schedule = &gc.schedule;
    read(schedule, now).map_err(|problem| {
        let message = format!(
            "spec.gc.schedule {schedule:?}: {problem}; no garbage collection runs until it is corrected. \
             \"0 3 * * *\" is every night at three"
        );
        Finding::bad(Reason::InvalidSchedule, message)
    })
}

pub(super) fn read(text: &str, now: Timestamp) -> Result<Schedule, String> {
    let schedule = Schedule::parse(text)?;
    match schedule.next(now, &TimeZone::UTC) {
        Some(_) => Ok(schedule),
        None => Err("the day does not exist".to_owned()),
    }
}

/// When the schedule comes next. A time zone that is unknown here, if the API server takes it, gives no answer.
pub(in crate::registry) fn next(
    schedule: &Schedule,
    gc: &GarbageCollection,
    now: Timestamp,
) -> Option<Timestamp> {
    let zone = match &gc.time_zone {
        Some(name) => cron::time_zone(name)?,
        None => TimeZone::UTC,
    };
    schedule.next(now, &zone)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gc(schedule: &str, time_zone: Option<&str>) -> GarbageCollection {
        GarbageCollection {
            schedule: schedule.to_owned(),
            time_zone: time_zone.map(str::to_owned),
            ..GarbageCollection::default()
        }
    }

    fn now() -> Timestamp {
        "2026-03-01T00:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_schedule_that_cannot_be_used_is_told_with_the_place() {
        for schedule in ["nightly", "0 3 30 2 *"] {
            let wrong = validate(&gc(schedule, None), now()).unwrap_err();
            assert_eq!(wrong.reason, Reason::InvalidSchedule);
            assert!(wrong.message.starts_with(&format!("spec.gc.schedule {schedule:?}: ")), "{wrong:?}");
        }
    }

    #[test]
    fn the_next_time_is_by_the_clocks_of_the_time_zone() {
        let next_in = |zone| {
            let gc = gc("0 3 * * *", zone);
            next(&validate(&gc, now()).unwrap(), &gc, now()).map(|next| next.to_string())
        };
        assert_eq!(next_in(None).as_deref(), Some("2026-03-01T03:00:00Z"));
        assert_eq!(next_in(Some("Asia/Kolkata")).as_deref(), Some("2026-03-01T21:30:00Z"));
        assert_eq!(next_in(Some("Europe/Atlantis")), None);
    }
}
