//! `garbagecollection`: how often, and what.

use crate::config::{CollectionSchedule, error::Error, settings::Settings};

/// `None` without an interval.
pub(super) fn schedule(settings: &Settings) -> Result<Option<CollectionSchedule>, Error> {
    let schedule = CollectionSchedule {
        interval: settings.duration("interval")?,
        minimum_age: settings.duration("minage")?,
        delete_untagged: settings.flag("deleteuntagged")?,
    };
    Ok(Some(schedule).filter(|schedule| !schedule.interval.is_zero()))
}
