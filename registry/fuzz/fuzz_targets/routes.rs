//! Folding a name into one segment of the path changes neither which repository is meant nor which endpoint: an upload that
//! is started in a repository has an address in that repository, and no path makes the server fail.

#![no_main]

use std::sync::{Arc, LazyLock};

use berth_oci::RepositoryName;
use berth_registry::{
    api::{self, Api},
    auth::Auth,
    config::{self, Options},
    repository::{Registry, Rules},
    server::{Arrival, Peer, PeerAddress},
};
use berth_storage::Memory;
use hyper::{Method, Request, StatusCode};
use libfuzzer_sys::fuzz_target;
use percent_encoding::percent_decode_str;
use tokio::runtime::{Builder, Runtime};

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_all().build().expect("a runtime can be made"));

fuzz_target!(|text: &str| {
    ask(&Method::GET, &format!("/v2/{text}"));
    let Some((status, location)) = ask(&Method::POST, &format!("/v2/{text}/blobs/uploads/")) else { return };
    if text.contains(['?', '#']) {
        // The name ends there, and perhaps the path of an endpoint as well.
        return;
    }
    let name =
        percent_decode_str(text).decode_utf8().ok().filter(|name| name.parse::<RepositoryName>().is_ok());
    match name {
        Some(name) => {
            assert_eq!(status, StatusCode::ACCEPTED, "{text:?}");
            let (base, _id) = location.rsplit_once('/').expect("an upload has an address");
            assert_eq!(base, format!("http://hub/v2/{name}/blobs/uploads"));
        }
        None => assert!(status.is_client_error(), "{text:?}: {status}"),
    }
});

/// The status of the answer, and its `Location`; `None` for what is no path.
fn ask(method: &Method, path: &str) -> Option<(StatusCode, String)> {
    let request =
        Request::builder().method(method).uri(path).header("host", "hub").body(String::new()).ok()?;
    let arrival = Arrival { peer: Peer { address: PeerAddress::Unix, tls: false }, files: None };
    let response = RUNTIME.block_on(async { api::service(api()).answer(request, arrival).await });
    let (status, headers) = (response.status(), response.headers());
    assert!(!status.is_server_error(), "{path}: {status}");
    assert!(headers.contains_key("docker-distribution-api-version"), "{path}: {status}");
    let location = headers.get("location").and_then(|location| location.to_str().ok());
    Some((status, location.unwrap_or_default().to_owned()))
}

fn api() -> Api {
    let config = config::load(None, [], &Options::default()).expect("the defaults are valid").config;
    let auth = Auth::open(&config).expect("nobody needs a password");
    let rules = Rules::default();
    let limit = rules.max_manifest_size;
    Api::new(Registry::new(Arc::new(Memory::new()), rules), auth, limit, &config.http)
}
