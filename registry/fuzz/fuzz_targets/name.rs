//! A repository name is kept as it was written, follows the grammar, and cannot leave its place in a key.

#![no_main]

use berth_oci::RepositoryName;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let parsed = text.parse::<RepositoryName>();
    assert_eq!(parsed.is_ok(), text.len() <= 255 && text.split('/').all(is_component), "{text:?}");
    let Ok(name) = parsed else { return };
    assert_eq!(name.to_string(), text);
    for component in text.split('/') {
        assert!(component.parse::<RepositoryName>().is_ok(), "a part of a name is a name: {component:?}");
        assert!(!component.starts_with(['_', '.']), "{component:?}");
    }
});

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*` of the distribution specification, read from left to right.
fn is_component(component: &str) -> bool {
    let mut rest = component.as_bytes();
    loop {
        let letters = count(rest, |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        if letters == 0 {
            return false;
        }
        rest = &rest[letters..];
        let separator = match rest {
            [] => return true,
            [b'.', ..] => 1,
            [b'_', b'_', ..] => 2,
            [b'_', ..] => 1,
            _ => count(rest, |byte| byte == b'-'),
        };
        if separator == 0 {
            return false;
        }
        rest = &rest[separator..];
    }
}

fn count(bytes: &[u8], is_wanted: impl Fn(u8) -> bool) -> usize {
    bytes.iter().take_while(|byte| is_wanted(**byte)).count()
}
