//! A file of credentials is read for one registry, or refused, and neither shows what it holds.

#![no_main]

use std::fs;

use berth_registry::upstream::Credentials;
use libfuzzer_sys::fuzz_target;
use tempfile::NamedTempFile;

/// What no sentence of ours has in it.
const SECRET: &str = "geheim\u{1F511}";

fuzz_target!(|input: (&str, &str)| {
    let (text, server) = input;
    let file = NamedTempFile::new().expect("a temporary file can be made");
    let read = |text: &str, server: &str| {
        fs::write(file.path(), text).expect("a temporary file can be written");
        Credentials::of_docker_config(file.path(), server)
    };
    if let Err(error) = read(text, server) {
        assert!(!text.contains(SECRET) || !format!("{error} {error:?}").contains(SECRET), "{error:?}");
    }

    // Whatever the host is called, what is kept for it is found.
    let host = serde_json::json!({server: {"username": "ann", "password": text}});
    let known =
        read(&serde_json::json!({"auths": host}).to_string(), server).expect("it is as Docker writes it");
    assert_eq!(known, Credentials::Password { user: "ann".to_owned(), password: text.to_owned() });
    let token = serde_json::json!({"auths": {server: {"auth": "YW5uOg==", "identitytoken": SECRET}}});
    let known = read(&token.to_string(), server).expect("it is as Docker writes it");
    assert!(!format!("{known:?}").contains(SECRET));
});
