//! The schedule of the garbage collection, in the syntax that Kubernetes has for a CronJob.

use std::ops::RangeInclusive;

use berth_crds::Reason;

use super::Finding;

/// The five fields: what they are called, what numbers they take, and what names stand for numbers.
const FIELDS: [(&str, RangeInclusive<u32>, &[&str]); 5] = [
    ("minute", 0..=59, &[]),
    ("hour", 0..=23, &[]),
    ("day of month", 1..=31, &[]),
    ("month", 1..=12, &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]),
    ("day of week", 0..=6, &["sun", "mon", "tue", "wed", "thu", "fri", "sat"]),
];

const WORDS: [&str; 7] = ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];

pub(super) fn validate(schedule: &str) -> Result<(), Finding> {
    check(schedule).map_err(|problem| {
        let message = format!(
            "spec.gc.schedule {schedule:?}: {problem}; no garbage collection runs until it is corrected. \
             \"0 3 * * *\" is every night at three"
        );
        Finding::bad(Reason::InvalidSchedule, message)
    })
}

fn check(schedule: &str) -> Result<(), String> {
    if schedule.starts_with('@') {
        let known = WORDS.contains(&schedule);
        return known.then_some(()).ok_or_else(|| format!("the word is none of {}", WORDS.join(", ")));
    }
    let fields: Vec<&str> = schedule.split_whitespace().collect();
    if fields.len() != FIELDS.len() {
        return Err(format!(
            "there are {} fields instead of 5: minute, hour, day of month, month, day of week",
            fields.len()
        ));
    }
    for (field, (name, range, names)) in fields.iter().zip(FIELDS) {
        if !field.split(',').all(|part| is_part(part, &range, names)) {
            return Err(format!(
                "{field:?} is no {name}, which is from {} to {}",
                range.start(),
                range.end()
            ));
        }
    }
    Ok(())
}

/// A value, a range `A-B`, or `*`, each with an optional step `/N`.
fn is_part(part: &str, range: &RangeInclusive<u32>, names: &[&str]) -> bool {
    let (span, step) = part.split_once('/').map_or((part, None), |(span, step)| (span, Some(step)));
    let value = |text: &str| value(text, range, names);
    let good_span = match span.split_once('-') {
        _ if span == "*" || span == "?" => true,
        Some((first, last)) => {
            matches!((value(first), value(last)), (Some(first), Some(last)) if first <= last)
        }
        None => value(span).is_some(),
    };
    good_span && step.is_none_or(|step| number(step).is_some_and(|step| step > 0))
}

fn value(text: &str, range: &RangeInclusive<u32>, names: &[&str]) -> Option<u32> {
    let position = names.iter().position(|name| name.eq_ignore_ascii_case(text));
    let by_name =
        position.and_then(|position| u32::try_from(position).ok()).map(|position| position + range.start());
    by_name.or_else(|| number(text)).filter(|value| range.contains(value))
}

/// A number in digits only: no sign.
fn number(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_that_kubernetes_takes_are_taken() {
        for schedule in ["0 3 * * *", "*/15 0-6 1,15 jan-MAR mon", "5/10 * ? * 0", "@daily", "59 23 31 12 6"]
        {
            assert_eq!(check(schedule), Ok(()), "{schedule}");
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
            assert!(check(schedule).is_err(), "{schedule}");
        }
    }

    #[test]
    fn the_wrong_field_is_named() {
        assert_eq!(check("0 25 * * *"), Err("\"25\" is no hour, which is from 0 to 23".to_owned()));
        assert_eq!(validate("nightly").unwrap_err().reason, Reason::InvalidSchedule);
    }
}
