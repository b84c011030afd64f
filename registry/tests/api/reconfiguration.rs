//! A configuration that changes while the server runs.

use std::{path::Path, sync::Arc};

use berth_registry::{
    api::Api,
    auth::Auth,
    config::{self, Loaded, Options},
    reconfiguration::{Live, Reconfiguration, rules, upload_purging},
    reloading::{Refresh, Reloading},
    repository::Registry as Rules,
    telemetry,
};
use berth_storage::Memory;
use hyper::StatusCode;
use tokio::sync::watch;

use crate::fixture::Registry;

fn write(path: &Path, more: &str) {
    std::fs::write(path, format!("version: 0.1\nlog: {{level: error}}\n{more}")).unwrap();
}

fn load(path: &Path) -> Loaded {
    config::load(Some(path), [], &Options::default()).unwrap()
}

/// A registry with the configuration of this file, and what brings changes of the file into it.
fn start(path: &Path) -> (Registry, Reconfiguration) {
    let config = load(path).config;
    let log = telemetry::start(&config.log);
    let registry = Rules::new(Arc::new(Memory::new()), rules(&config));
    let limit = rules(&config).max_manifest_size;
    let api = Api::new(registry.clone(), Auth::default(), limit, &config.http);
    let (upload_purging, _) = watch::channel(upload_purging(&config));
    let live = Live { log, registry, api: api.clone(), upload_purging };
    let followed = path.to_owned();
    let file = Reloading::open("the configuration", vec![path.to_owned()], move |_| Ok(load(&followed)));
    (Registry::over(api), Reconfiguration::new(file.unwrap(), config, live))
}

#[tokio::test]
async fn rules_and_headers_take_effect_at_once() {
    let file = tempfile::NamedTempFile::new().unwrap();
    write(file.path(), "storage: inmemory\n");
    let (registry, reconfiguration) = start(file.path());
    let digest = registry.push_blob("app", b"content").await;
    let blob = format!("/v2/app/blobs/{digest}");
    registry.delete(&blob).await.assert_error(405, "UNSUPPORTED");

    write(
        file.path(),
        "storage: {inmemory: {}, delete: {enabled: true}}\nhttp: {headers: {X-Frame-Options: [DENY]}}\n",
    );
    assert!(reconfiguration.refresh());
    let deleted = registry.delete(&blob).await;
    assert_eq!(deleted.status, StatusCode::ACCEPTED);
    assert_eq!(deleted.header("x-frame-options"), "DENY");

    write(file.path(), "storage: {inmemory: {}, maintenance: {readonly: {enabled: true}}}\n");
    assert!(reconfiguration.refresh() && !reconfiguration.refresh());
    registry.post("/v2/app/blobs/uploads/", "").await.assert_error(405, "UNSUPPORTED");
}
