//! How often another registry may still be asked, as it tells in headers, and when it may be asked again.

use std::time::Duration;

use hyper::{HeaderMap, header::RETRY_AFTER};
use jiff::{Timestamp, fmt::rfc2822};

/// What a registry tells of its limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RateLimit {
    /// How many requests it allows within the window.
    pub limit: Option<u64>,
    /// How many of them are left.
    pub remaining: Option<u64>,
    /// The window.
    pub window: Option<Duration>,
}

impl RateLimit {
    /// What the headers tell, if anything. Docker Hub writes `100;w=21600`, others the number alone.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let (limit, window) = read(headers, "ratelimit-limit").unwrap_or_default();
        let (remaining, other_window) = read(headers, "ratelimit-remaining").unwrap_or_default();
        let told = Self { limit, remaining, window: window.or(other_window) };
        (told != Self::default()).then_some(told)
    }
}

fn read(headers: &HeaderMap, name: &str) -> Option<(Option<u64>, Option<Duration>)> {
    let mut parts = headers.get(name)?.to_str().ok()?.split(';').map(str::trim);
    let number = parts.next()?.parse().ok()?;
    let window = parts.find_map(|part| part.strip_prefix("w=")?.parse().ok());
    Some((Some(number), window.map(Duration::from_secs)))
}

/// How long a registry wants to be left alone: a number of seconds, or until a date.
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = rfc2822::parse(text).ok()?.timestamp();
    Some(Duration::try_from(date.duration_since(now)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderName;

    use super::*;

    fn headers(all: &[(&'static str, &'static str)]) -> HeaderMap {
        let header = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), value.parse().unwrap())
        };
        all.iter().map(header).collect()
    }

    #[test]
    fn docker_hub_and_others_are_understood() {
        let hub = headers(&[("ratelimit-limit", "100;w=21600"), ("ratelimit-remaining", "76;w=21600")]);
        let told = RateLimit::of(&hub).unwrap();
        assert_eq!((told.limit, told.remaining), (Some(100), Some(76)));
        assert_eq!(told.window, Some(Duration::from_hours(6)));
        let plain = RateLimit::of(&headers(&[("ratelimit-remaining", "0")])).unwrap();
        assert_eq!((plain.limit, plain.remaining, plain.window), (None, Some(0), None));
        assert_eq!(RateLimit::of(&headers(&[("ratelimit-limit", "many")])), None);
    }

    #[test]
    fn the_wait_is_told_in_seconds_or_by_a_date() {
        let now = "2026-03-01T12:00:00Z".parse().unwrap();
        let wait = |text| retry_after(&headers(&[("retry-after", text)]), now);
        assert_eq!(wait("7"), Some(Duration::from_secs(7)));
        assert_eq!(wait("Sun, 01 Mar 2026 12:01:00 GMT"), Some(Duration::from_mins(1)));
        assert_eq!(wait("Sun, 01 Mar 2026 11:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(wait("soon"), None);
    }
}
