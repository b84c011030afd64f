//! Durations as Go writes them: `1h30m`, `168h`, `1.5s`; a number alone counts nanoseconds.

use std::time::Duration;

/// Reads a duration; `None` when the text is not one, or is negative.
pub fn parse(text: &str) -> Option<Duration> {
    if let Ok(nanoseconds) = text.parse::<u64>() {
        return Some(Duration::from_nanos(nanoseconds));
    }
    if text.is_empty() {
        return None;
    }
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let (part, after) = first_part(rest)?;
        total = total.checked_add(part)?;
        rest = after;
    }
    Some(total)
}

/// Takes one number with its unit from the front.
fn first_part(text: &str) -> Option<(Duration, &str)> {
    let number_end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, rest) = text.split_at(number_end);
    let unit_end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
    let (unit, after) = rest.split_at(unit_end);
    let seconds = number.parse::<f64>().ok()? * seconds_per(unit)?;
    Some((Duration::try_from_secs_f64(seconds).ok()?, after))
}

fn seconds_per(unit: &str) -> Option<f64> {
    match unit {
        "ns" => Some(1e-9),
        "us" | "µs" | "μs" => Some(1e-6),
        "ms" => Some(1e-3),
        "s" => Some(1.0),
        "m" => Some(60.0),
        "h" => Some(3600.0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_durations_are_read() {
        assert_eq!(parse("168h"), Some(Duration::from_hours(168)));
        assert_eq!(parse("1h30m"), Some(Duration::from_mins(90)));
        assert_eq!(parse("1.5s"), Some(Duration::from_millis(1500)));
        assert_eq!(parse("1000000000"), Some(Duration::from_secs(1)));
    }

    #[test]
    fn what_is_not_a_duration_is_refused() {
        for text in ["", "h", "5 h", "7d", "-1h", "1..5s", "10s5"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
