//! A manifest says the same however it is spaced, and whatever it refers to stands in its bytes: the garbage collection
//! relies on that.

#![no_main]

use std::collections::HashSet;

use berth_oci::{Manifest, mentioned_digests};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mentioned: HashSet<_> = mentioned_digests(bytes).into_iter().collect();
    let Ok(manifest) = Manifest::parse(bytes, None) else { return };
    assert_eq!(Manifest::media_type_of(bytes).as_ref(), Some(manifest.media_type()));
    assert!(Manifest::parse(bytes, Some(manifest.media_type())).is_ok(), "its own type is the right one");
    if !bytes.contains(&b'\\') {
        let referred = manifest.references().chain(manifest.subject().map(|subject| subject.digest));
        for digest in referred {
            assert!(mentioned.contains(&digest), "{digest} is referred to and not mentioned");
        }
    }
    // What nobody asks for may be nested too deeply for a value, or too large a number.
    let Ok(document) = serde_json::from_slice(bytes) else { return };
    if has_no_key_twice(bytes, &document) {
        let spaced = serde_json::to_vec_pretty(&document).expect("what was read can be written");
        assert_eq!(Manifest::parse(&spaced, None).ok(), Some(manifest));
    }
});

/// Whether nothing was lost in reading: of a key that stands twice, one value is.
fn has_no_key_twice(bytes: &[u8], document: &serde_json::Value) -> bool {
    let colons = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b':').count();
    serde_json::to_vec(document).is_ok_and(|written| colons(&written) == colons(bytes))
}
