//! A byte range lies within the content, whatever its size.

#![no_main]

use berth_oci::ByteRange;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u64, &str)| {
    let (size, text) = input;
    let Ok(range) = text.parse::<ByteRange>() else { return };
    for size in [size, size % 100, 0, u64::MAX] {
        match range.resolve(size) {
            Some(bytes) => assert!(bytes.start() <= bytes.end() && *bytes.end() < size, "{text:?} of {size}"),
            None => assert!(!takes_the_first_byte(range) || size == 0, "{text:?} of {size}"),
        }
    }
});

fn takes_the_first_byte(range: ByteRange) -> bool {
    match range {
        ByteRange::FromTo { first, .. } | ByteRange::From(first) => first == 0,
        ByteRange::Last(length) => length == u64::MAX,
    }
}
