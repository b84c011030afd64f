//! Which requests make which events. The endpoint never answers, so that the events stay in its queue, where they are
//! read; how they are delivered is tested in `tests/notifications`.

use std::sync::Arc;

use berth_registry::{auth::entry, config, metrics, notifications::Notifications};
use berth_storage::{Filesystem, Memory, ObjectStore};
use futures::TryStreamExt;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    fixture::{OCI_MANIFEST, Registry, digest_of, unreachable},
    presigning::Presigning,
};

const OCTET_STREAM: &str = "application/octet-stream";

/// A registry, and the events that it has made.
struct Told {
    registry: Registry,
    notifications: Notifications,
    store: Arc<dyn ObjectStore>,
}

impl Told {
    fn new() -> Self {
        Self::by(Registry::new(), Arc::new(Memory::new()))
    }

    /// The events of `registry`, kept in `store`.
    fn by(registry: Registry, store: Arc<dyn ObjectStore>) -> Self {
        let config = config::Notifications { include_references: true, endpoints: vec![unreachable()] };
        let notifications =
            Notifications::start(&config, &store, "node:5000".to_owned(), &metrics::Notifications::default())
                .unwrap();
        Self { registry: registry.with_notifications(notifications.clone()), notifications, store }
    }

    /// What is in the storage now, in order.
    async fn events(&self) -> Vec<Value> {
        let queue = "docker/registry/v2/_berth/notifications/mail/queue".parse().unwrap();
        let batches: Vec<_> = self.store.list(&queue, None).try_collect().await.unwrap();
        let mut events = Vec::new();
        for batch in batches {
            let chunks: Vec<_> =
                self.store.get(&batch.key, None).await.unwrap().body.try_collect().await.unwrap();
            events.extend(serde_json::from_slice::<Vec<Value>>(&chunks.concat()).unwrap());
        }
        events
    }

    /// The actions and targets of the last events.
    async fn last(&self, count: usize) -> Vec<(String, Value)> {
        let events = self.events().await;
        let last = &events[events.len() - count..];
        last.iter()
            .map(|event| (event["action"].as_str().unwrap().to_owned(), event["target"].clone()))
            .collect()
    }

    /// The methods and targets of all pulls. Nothing is told after this.
    async fn pulls(&self) -> Vec<(String, Value)> {
        self.notifications.stop().await;
        let events = self.events().await;
        let pulls = events.iter().filter(|event| event["action"] == "pull");
        let method = |event: &Value| event["request"]["method"].as_str().unwrap().to_owned();
        pulls.map(|event| (method(event), event["target"].clone())).collect()
    }
}

fn blob_target(bytes: &[u8], name: &str) -> Value {
    let digest = digest_of(bytes).to_string();
    json!({
        "mediaType": OCTET_STREAM,
        "digest": digest,
        "size": bytes.len(),
        "length": bytes.len(),
        "repository": name,
        "url": format!("http://hub.example.com/v2/{name}/blobs/{digest}"),
    })
}

fn manifest_target(manifest: &Value, name: &str, tag: Option<&str>) -> Value {
    let bytes = manifest.to_string();
    let digest = digest_of(bytes.as_bytes()).to_string();
    let mut target = json!({
        "mediaType": OCI_MANIFEST,
        "digest": digest,
        "size": bytes.len(),
        "length": bytes.len(),
        "repository": name,
        "url": format!("http://hub.example.com/v2/{name}/manifests/{digest}"),
        "references": [manifest["config"], manifest["layers"][0]],
    });
    if let Some(tag) = tag {
        target["tag"] = tag.into();
    }
    target
}

fn pushed(target: Value) -> (String, Value) {
    ("push".to_owned(), target)
}

fn deleted(target: Value) -> (String, Value) {
    ("delete".to_owned(), target)
}

#[tokio::test]
async fn a_blob_is_told_before_its_push_is_acknowledged() {
    let told = Told::new();
    told.registry.push_blob("team/app", b"whole").await;
    assert_eq!(told.last(1).await, [pushed(blob_target(b"whole", "team/app"))]);

    let upload = told.registry.start_upload("team/app").await;
    told.registry.patch(&upload, "in ").await;
    assert_eq!(told.events().await.len(), 1, "an upload is no push until it ends");
    told.registry.put(&format!("{upload}?digest={}", digest_of(b"in parts")), "parts").await;
    assert_eq!(told.last(1).await, [pushed(blob_target(b"in parts", "team/app"))]);
}

#[tokio::test]
async fn a_manifest_is_told_with_its_tag_and_what_it_refers_to() {
    let told = Told::new();
    let manifest = told.registry.image("app", "one").await;
    told.registry.push_manifest("app", "latest", &manifest).await;
    assert_eq!(told.last(1).await, [pushed(manifest_target(&manifest, "app", Some("latest")))]);
    let digest = digest_of(manifest.to_string().as_bytes()).to_string();
    told.registry.push_manifest("app", &digest, &manifest).await;
    assert_eq!(told.last(1).await, [pushed(manifest_target(&manifest, "app", None))]);
}

#[tokio::test]
async fn a_manifest_with_several_tags_is_told_once_a_tag() {
    let told = Told::new();
    let manifest = told.registry.image("app", "one").await;
    let digest = digest_of(manifest.to_string().as_bytes());
    told.registry.push_manifest("app", &format!("{digest}?tag=1&tag=2"), &manifest).await;
    let expected = ["1", "2"].map(|tag| pushed(manifest_target(&manifest, "app", Some(tag))));
    assert_eq!(told.last(2).await, expected);
}

#[tokio::test]
async fn a_mount_is_told_with_the_repository_that_the_blob_comes_from() {
    let told = Told::new();
    let digest = told.registry.push_blob("base", b"layer").await;
    told.registry.post(&format!("/v2/app/blobs/uploads/?mount={digest}&from=base"), "").await;
    let mut target = blob_target(b"layer", "app");
    target["fromRepository"] = "base".into();
    assert_eq!(told.last(1).await, [("mount".to_owned(), target)]);
}

#[tokio::test]
async fn deletions_are_told_by_what_was_deleted() {
    let told = Told::new();
    let manifest = told.registry.push_image("app", "1").await;
    told.registry.push_image("app", "other").await;
    told.registry.delete("/v2/app/manifests/other").await;
    assert_eq!(told.last(1).await, [deleted(json!({ "repository": "app", "tag": "other" }))]);

    told.registry.delete(&format!("/v2/app/manifests/{manifest}")).await;
    let expected = [
        deleted(json!({ "repository": "app", "digest": manifest.to_string() })),
        deleted(json!({ "repository": "app", "tag": "1" })),
    ];
    assert_eq!(told.last(2).await, expected, "the tags go with their manifest");

    let blob = told.registry.push_blob("app", b"layer").await;
    told.registry.delete(&format!("/v2/app/blobs/{blob}")).await;
    assert_eq!(told.last(1).await, [deleted(json!({ "repository": "app", "digest": blob.to_string() }))]);
}

#[tokio::test]
async fn pulls_are_told_with_the_method_that_tells_them_from_questions() {
    let told = Told::new();
    let manifest = told.registry.image("app", "one").await;
    told.registry.push_manifest("app", "latest", &manifest).await;
    let layer = told.registry.push_blob("app", b"layer").await;
    told.registry.head("/v2/app/manifests/latest").await;
    told.registry.get("/v2/app/manifests/latest").await;
    told.registry.head(&format!("/v2/app/blobs/{layer}")).await;
    told.registry.get(&format!("/v2/app/blobs/{layer}")).await;

    let manifest = manifest_target(&manifest, "app", Some("latest"));
    let blob = blob_target(b"layer", "app");
    let pull = |method: &str, target: &Value| (method.to_owned(), target.clone());
    let expected = [pull("HEAD", &manifest), pull("GET", &manifest), pull("HEAD", &blob), pull("GET", &blob)];
    assert_eq!(told.pulls().await, expected);
}

#[tokio::test]
async fn what_was_not_sent_or_not_done_is_not_told() {
    let told = Told::new();
    let digest = told.registry.push_image("app", "latest").await;
    let before = told.events().await.len();
    let known = format!("\"{digest}\"");
    let answer =
        told.registry.send(Method::GET, "/v2/app/manifests/latest", &[("if-none-match", &known)], "").await;
    assert_eq!(answer.status, StatusCode::NOT_MODIFIED);
    told.registry.get("/v2/app/manifests/missing").await;
    told.registry.delete("/v2/app/manifests/missing").await;
    told.registry.push_manifest("app", "bad", &json!({ "mediaType": OCI_MANIFEST })).await;
    told.registry.get("/v2/app/tags/list").await;
    assert_eq!(told.pulls().await, []);
    assert_eq!(told.events().await.len(), before);
}

#[tokio::test]
async fn a_pull_that_is_redirected_is_told_as_one_that_is_not() {
    let variables = [
        ("REGISTRY_STORAGE_S3_BUCKET", "hub"),
        ("REGISTRY_STORAGE_S3_REGION", "eu-west-1"),
        ("REGISTRY_STORAGE_REDIRECT_DISABLE", "false"),
    ];
    let registry = Registry::configured_over(&variables, Arc::new(Presigning::default()));
    let told = Told::by(registry, Arc::new(Memory::new()));
    let digest = told.registry.push_blob("app", b"layer").await;
    let answer = told.registry.get(&format!("/v2/app/blobs/{digest}")).await;
    assert_eq!(answer.status, StatusCode::TEMPORARY_REDIRECT);
    assert_eq!(told.pulls().await, [("GET".to_owned(), blob_target(b"layer", "app"))]);
}

#[tokio::test]
async fn an_event_names_the_request_and_who_sent_it() {
    let told = Told::new();
    let path = format!("/v2/app/blobs/uploads/?digest={}", digest_of(b"x"));
    let headers =
        [("x-forwarded-for", "192.0.2.7, 10.0.0.1"), ("user-agent", "docker/29"), ("x-request-id", "abc")];
    told.registry.send(Method::POST, &path, &headers, "x").await;
    let event = &told.events().await[0];
    let expected = json!({
        "id": "abc",
        "addr": "192.0.2.7",
        "host": "hub.example.com",
        "method": "POST",
        "useragent": "docker/29",
    });
    assert_eq!(event["request"], expected);
    assert_eq!(event["actor"], json!({}));
    assert_eq!(event["source"]["addr"], "node:5000");
}

#[tokio::test]
async fn an_event_names_the_user() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), entry("bob", "secret", 4).unwrap()).unwrap();
    let registry = Registry::configured(&[
        ("REGISTRY_AUTH_HTPASSWD_REALM", "Registry"),
        ("REGISTRY_AUTH_HTPASSWD_PATH", file.path().to_str().unwrap()),
    ]);
    let told = Told::by(registry.as_user("bob", "secret"), Arc::new(Memory::new()));
    told.registry.push_blob("app", b"x").await;
    assert_eq!(told.events().await[0]["actor"], json!({ "name": "bob" }));
}

#[tokio::test]
async fn a_push_that_cannot_be_told_is_not_acknowledged() {
    let told = Told::by(Registry::new(), Arc::new(Filesystem::new("/dev/null")));
    let path = format!("/v2/app/blobs/uploads/?digest={}", digest_of(b"x"));
    let answer = told.registry.post(&path, "x").await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(!answer.text().contains("null"), "{}", answer.text());
}

#[tokio::test]
async fn copies_and_the_deletion_of_a_repository_are_told() {
    let told = Told::new();
    let digest = told.registry.push_image("staging", "rc").await;
    let copy = "/v2/app/_berth/copy?from=staging&reference=rc&tag=1.0";
    assert_eq!(told.registry.post(copy, "").await.status, StatusCode::CREATED);
    let (action, target) = told.last(1).await.remove(0);
    assert_eq!(
        (action.as_str(), &target["repository"], &target["tag"]),
        ("push", &json!("app"), &json!("1.0"))
    );
    assert_eq!(target["digest"], json!(digest.to_string()));

    assert_eq!(told.registry.delete("/v2/app/_berth/repository").await.status, StatusCode::ACCEPTED);
    assert_eq!(told.last(1).await, [("delete".to_owned(), json!({ "repository": "app" }))]);
}
