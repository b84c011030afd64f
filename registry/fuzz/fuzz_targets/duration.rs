//! A duration ends where the next one begins: two in a row are their sum.

#![no_main]

use std::time::Duration;

use berth_registry::config::parse_duration;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Some(duration) = parse_duration(text) else { return };
    if let Ok(nanoseconds) = text.parse::<u64>() {
        assert_eq!(duration, Duration::from_nanos(nanoseconds));
        return;
    }
    let an_hour = Duration::from_hours(1);
    assert_eq!(parse_duration(&format!("{text}1h")), duration.checked_add(an_hour), "{text:?} and an hour");
    assert_eq!(parse_duration(&format!("1h{text}")), an_hour.checked_add(duration), "an hour and {text:?}");
});
