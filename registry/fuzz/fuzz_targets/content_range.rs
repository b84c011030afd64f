//! A content range has as many bytes as it says, and is the same in both forms.

#![no_main]

use berth_oci::ContentRange;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(range) = text.parse::<ContentRange>() else { return };
    assert!(range.first() <= range.last());
    assert!(range.length() >= 1);
    let (first, last) = (range.first(), range.last());
    assert_eq!(format!("{first}-{last}").parse(), Ok(range));
    assert_eq!(format!("bytes {first}-{last}/*").parse(), Ok(range));
});
