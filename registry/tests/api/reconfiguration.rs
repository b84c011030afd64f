//! A configuration that changes while the server runs.

use std::{path::Path, sync::Arc};

use berth_registry::{
    api::Api,
    auth::Auth,
    config::{self, Loaded, Options},
    mirror::Mirrors,
    reconfiguration::{Live, Reconfiguration, rules, upload_purging},
    reloading::{Refresh, Reloading},
    repository::Registry as Rules,
    telemetry,
};
use hyper::StatusCode;
use tokio::sync::watch;

use crate::{fixture::Registry, presigning::Presigning};

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
    let registry = Rules::new(Arc::new(Presigning::default()), rules(&config));
    let limit = rules(&config).max_manifest_size;
    let api = Api::new(registry.clone(), Auth::default(), limit, &config.http);
    let (upload_purging, _) = watch::channel(upload_purging(&config));
    let mirrors = Mirrors::default();
    let api = api.with_mirrors(mirrors.clone());
    let live = Live { log, registry, mirrors, api: api.clone(), auth: Auth::default(), upload_purging };
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

#[tokio::test]
async fn redirects_begin_and_end_at_once() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let configure = |more: &str| {
        write(file.path(), &format!("storage:\n  s3: {{bucket: hub, region: eu-west-1}}\n  {more}\n"));
    };
    configure("");
    let (registry, reconfiguration) = start(file.path());
    let blob = format!("/v2/app/blobs/{}", registry.push_blob("app", b"content").await);
    assert_eq!(registry.get(&blob).await.status, StatusCode::OK);

    configure("redirect: {disable: false, lifetime: 5m}");
    assert!(reconfiguration.refresh());
    let redirected = registry.get(&blob).await;
    assert_eq!(redirected.status, StatusCode::TEMPORARY_REDIRECT);
    assert!(redirected.header("location").contains("X-Amz-Expires=300"));

    configure("redirect: {disable: true}");
    assert!(reconfiguration.refresh());
    assert_eq!(registry.get(&blob).await.status, StatusCode::OK);
}

#[tokio::test]
async fn mirrors_come_and_go_at_once() {
    let file = tempfile::NamedTempFile::new().unwrap();
    write(file.path(), "storage: inmemory\n");
    let (registry, reconfiguration) = start(file.path());
    registry.push_blob("quay.io/app", b"content").await;

    write(file.path(), "storage: inmemory\nmirrors: [{upstream: quay.io, offline: true}]\n");
    assert!(reconfiguration.refresh());
    let absent = registry.get("/v2/quay.io/app/manifests/1").await;
    absent.assert_error(404, "MANIFEST_UNKNOWN");
    assert!(absent.text().contains("the mirror of quay.io is offline"), "{}", absent.text());
    registry.post("/v2/quay.io/app/blobs/uploads/", "").await.assert_error(405, "UNSUPPORTED");

    write(file.path(), "storage: inmemory\n");
    assert!(reconfiguration.refresh());
    registry.push_blob("quay.io/app", b"more content").await;
}
