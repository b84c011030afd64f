//! A reference is a tag or a digest, never both, and is written as it was read.

#![no_main]

use berth_oci::{Digest, Reference, Tag};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let (tag, digest) = (text.parse::<Tag>(), text.parse::<Digest>());
    assert!(tag.is_err() || digest.is_err(), "{text:?} is a tag and a digest");
    match text.parse::<Reference>() {
        Ok(Reference::Tag(read)) => assert_eq!(Ok(read), tag),
        Ok(Reference::Digest(read)) => assert_eq!(Ok(read), digest),
        Err(_) => assert!(tag.is_err() && digest.is_err(), "{text:?}"),
    }
    if let Ok(reference) = text.parse::<Reference>() {
        assert_eq!(reference.to_string(), text);
        assert!(text.len() <= 135 && !text.starts_with(['.', '-', '/']) && !text.contains('/'), "{text:?}");
    }
});
