//! However a registry tells how often it may be asked, and when again: numbers are taken as they are, and no wait begins in the past.

#![no_main]

use std::time::Duration;

use berth_registry::upstream::{RateLimit, retry_after};
use hyper::{
    HeaderMap,
    header::{HeaderName, HeaderValue, RETRY_AFTER},
};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");

fuzz_target!(|input: (&str, &str, u64, u64)| {
    let (text, other, number, window) = input;
    let now = Timestamp::UNIX_EPOCH;
    for (limit, remaining) in [(text, other), (other, text)] {
        let Some(headers) = headers(&[(LIMIT, limit), (REMAINING, remaining), (RETRY_AFTER, text)]) else {
            return;
        };
        assert_ne!(RateLimit::of(&headers), Some(RateLimit::default()), "what tells nothing is nothing");
        let wait = retry_after(&headers, now);
        assert!(wait <= retry_after(&headers, Timestamp::MIN), "{text:?}: later, less is left to wait");
    }

    let (hub, seconds) = (format!("{number};w={window}"), number.to_string());
    let headers =
        headers(&[(LIMIT, &hub), (REMAINING, &seconds), (RETRY_AFTER, &seconds)]).expect("digits are text");
    let window = Some(Duration::from_secs(window));
    let told = RateLimit { limit: Some(number), remaining: Some(number), window };
    assert_eq!(RateLimit::of(&headers), Some(told));
    assert_eq!(retry_after(&headers, now), Some(Duration::from_secs(number)));
});

fn headers(all: &[(HeaderName, &str)]) -> Option<HeaderMap> {
    all.iter().map(|(name, value)| Some((name.clone(), HeaderValue::from_str(value).ok()?))).collect()
}
