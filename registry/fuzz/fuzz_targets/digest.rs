//! A digest is written as it was read, and its parts are those of the text.

#![no_main]

use berth_oci::Digest;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(digest) = text.parse::<Digest>() else { return };
    assert_eq!(digest.to_string(), text);
    assert_eq!(format!("{}:{}", digest.algorithm(), digest.hex()), text);
    assert_eq!(digest.hex().len(), 2 * digest.as_bytes().len());
    assert!(text.is_ascii() && !text.contains(['/', '.']), "a digest becomes part of a key");
});
