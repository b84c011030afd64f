//! Whatever a client makes up is no token: it is refused, the same way each time, and the refusal repeats nothing of it.

#![no_main]

use std::sync::LazyLock;

use berth_registry::auth::Auth;
use berth_registry::config::{self, Options};
use libfuzzer_sys::fuzz_target;
use tempfile::NamedTempFile;

/// The public key of RFC 8037, appendix A.
const KEYS: &str =
    r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

/// What no sentence of ours has in it.
const MARK: &str = "\u{1F511}~made up~\u{1F511}";

static AUTH: LazyLock<Auth> = LazyLock::new(|| {
    let keys = NamedTempFile::new().expect("a temporary file can be made");
    std::fs::write(keys.path(), KEYS).expect("a temporary file can be written");
    let variables = [
        ("REALM", "https://issuer.example.com/token"),
        ("SERVICE", "registry"),
        ("ISSUER", "issuer"),
        ("JWKS", keys.path().to_str().expect("a path of text")),
    ];
    let variables = variables.map(|(name, value)| (format!("REGISTRY_AUTH_TOKEN_{name}"), value.to_owned()));
    let loaded = config::load(None, variables, &Options::default()).expect("a configuration that holds");
    Auth::open(&loaded.config).expect("keys that can be read")
});

fuzz_target!(|token: &str| {
    let refused = AUTH.authenticate_bearer(token).expect_err("the key has not signed it");
    assert_eq!(AUTH.authenticate_bearer(token), Err(refused));

    // Marked, since the fuzzer makes up our own sentences as well.
    let marked = AUTH.authenticate_bearer(&format!("{token}{MARK}")).expect_err("nobody has signed it");
    assert!(!marked.to_string().contains(MARK), "{marked}");
});
