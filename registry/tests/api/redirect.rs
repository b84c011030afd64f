//! Pulls that are redirected to the storage.

use std::{
    io,
    sync::{Arc, Mutex},
};

use berth_oci::Digest;
use berth_registry::{auth::entry, metrics::Metrics};
use berth_storage::Memory;
use hyper::{Method, StatusCode};
use tracing::Level;

use crate::{
    fixture::{Answer, OCI_MANIFEST, Registry, absent},
    metrics::{assert_sample, page},
    presigning::{Presigning, SIGNATURE},
};

const BYTES: &[u8] = b"0123456789";

/// Redirects are asked for, and the storage is S3.
const ASKED: [(&str, &str); 3] = [
    ("REGISTRY_STORAGE_S3_BUCKET", "hub"),
    ("REGISTRY_STORAGE_S3_REGION", "eu-west-1"),
    ("REGISTRY_STORAGE_REDIRECT_DISABLE", "false"),
];

fn redirecting(more: &[(&str, &str)]) -> Registry {
    Registry::configured_over(&[&ASKED, more].concat(), Arc::new(Presigning::default()))
}

/// A registry with a blob, and the path of the blob.
async fn with_blob(more: &[(&str, &str)]) -> (Registry, String) {
    let registry = redirecting(more);
    let digest = registry.push_blob("team/app", BYTES).await;
    (registry, format!("/v2/team/app/blobs/{digest}"))
}

fn place(digest: &Digest, lifetime: u32) -> String {
    let hex = digest.hex();
    let key = format!("docker/registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2]);
    format!("https://s3.example.com/hub/{key}?X-Amz-Expires={lifetime}&X-Amz-Signature={SIGNATURE}")
}

fn assert_streams(answer: &Answer) {
    assert_eq!((answer.status, &answer.body[..]), (StatusCode::OK, BYTES));
    assert!(!answer.headers.contains_key("location"), "{answer:?}");
}

fn assert_redirects(answer: &Answer) {
    assert_eq!((answer.status, answer.body.len()), (StatusCode::TEMPORARY_REDIRECT, 0));
}

#[tokio::test]
async fn a_pull_leads_to_the_storage_by_a_url_that_nobody_may_keep() {
    let (registry, path) = with_blob(&[]).await;
    let answer = registry.get(&path).await;
    assert_redirects(&answer);
    let digest = answer.header("docker-content-digest");
    assert!(path.ends_with(digest));
    assert_eq!(answer.header("location"), place(&digest.parse().unwrap(), 1200));
    assert_eq!(answer.header("cache-control"), "no-store");
}

#[tokio::test]
async fn the_url_is_valid_for_as_long_as_configured() {
    let (registry, path) = with_blob(&[("REGISTRY_STORAGE_REDIRECT_LIFETIME", "90s")]).await;
    let location = registry.get(&path).await.header("location").to_owned();
    assert!(location.contains("X-Amz-Expires=90&"), "{location}");
}

#[tokio::test]
async fn a_range_is_asked_for_where_the_blob_is() {
    let (registry, path) = with_blob(&[]).await;
    assert_redirects(&registry.send(Method::GET, &path, &[("range", "bytes=2-4")], "").await);
}

#[tokio::test]
async fn what_needs_no_bytes_is_answered_here() {
    let (registry, path) = with_blob(&[]).await;
    let head = registry.head(&path).await;
    assert_eq!((head.status, head.header("content-length")), (StatusCode::OK, "10"));
    let tag = head.header("etag");
    let known = registry.send(Method::GET, &path, &[("if-none-match", tag)], "").await;
    assert_eq!(known.status, StatusCode::NOT_MODIFIED);
}

#[tokio::test]
async fn manifests_are_served_here_also_as_blobs() {
    let registry = redirecting(&[]);
    let digest = registry.push_image("team/app", "1").await;
    for path in [
        "/v2/team/app/manifests/1".to_owned(),
        format!("/v2/team/app/manifests/{digest}"),
        format!("/v2/team/app/blobs/{digest}"),
    ] {
        let answer = registry.send(Method::GET, &path, &[("accept", OCI_MANIFEST)], "").await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert_eq!(answer.header("docker-content-digest"), digest.to_string());
    }
}

#[tokio::test]
async fn a_blob_that_the_repository_does_not_have_is_unknown() {
    let (registry, path) = with_blob(&[]).await;
    registry.get(&format!("/v2/team/app/blobs/{}", absent())).await.assert_error(404, "BLOB_UNKNOWN");
    registry.get(&path.replace("team/app", "other")).await.assert_error(404, "BLOB_UNKNOWN");
}

#[tokio::test]
async fn who_may_not_pull_gets_no_url() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), entry("bob", "secret", 4).unwrap()).unwrap();
    let guarded = redirecting(&[
        ("REGISTRY_AUTH_HTPASSWD_REALM", "Registry"),
        ("REGISTRY_AUTH_HTPASSWD_PATH", file.path().to_str().unwrap()),
    ]);
    let bob = guarded.as_user("bob", "secret");
    let path = format!("/v2/app/blobs/{}", bob.push_blob("app", BYTES).await);
    assert_redirects(&bob.get(&path).await);
    let refused = guarded.get(&path).await;
    refused.assert_error(401, "UNAUTHORIZED");
    assert!(!refused.headers.contains_key("location"));
}

#[tokio::test]
async fn clients_are_chosen_by_their_network() {
    let (registry, path) = with_blob(&[("REGISTRY_STORAGE_REDIRECT_NETWORKS_ONLY", "[10.0.0.0/8]")]).await;
    assert_redirects(&registry.at_address("10.1.2.3").get(&path).await);
    assert_streams(&registry.at_address("203.0.113.1").get(&path).await);
}

#[tokio::test]
async fn a_proxy_inside_does_not_make_a_client_from_outside_one_from_inside_and_neither_does_a_header() {
    let (registry, path) = with_blob(&[("REGISTRY_STORAGE_REDIRECT_NETWORKS_ONLY", "[10.0.0.0/8]")]).await;
    let get = async |connection: &str, header: &str| {
        let client = registry.at_address(connection);
        client.send(Method::GET, &path, &[("x-forwarded-for", header)], "").await
    };
    assert_streams(&get("10.1.2.3", "203.0.113.1, 10.9.9.9").await);
    assert_streams(&get("203.0.113.1", "10.1.2.3").await);
    assert_redirects(&get("10.1.2.3", "10.4.5.6").await);
}

#[tokio::test]
async fn clients_are_chosen_by_what_they_call_themselves() {
    let (registry, path) =
        with_blob(&[("REGISTRY_STORAGE_REDIRECT_USERAGENTS_EXCEPT", "['*windows*', 'curl/*']")]).await;
    let get = async |name| registry.send(Method::GET, &path, &[("user-agent", name)], "").await;
    assert_redirects(&get("containerd/v2.0").await);
    assert_streams(&get("docker/27.1 os/Windows").await);
    assert_redirects(&registry.get(&path).await);
}

#[tokio::test]
async fn blobs_stream_unless_redirects_are_asked_for_and_where_the_storage_has_no_urls() {
    let silent = Registry::configured_over(&ASKED[..2], Arc::new(Presigning::default()));
    let without_urls = Registry::configured_over(&ASKED, Arc::new(Memory::new()));
    for registry in [silent, without_urls] {
        let digest = registry.push_blob("app", BYTES).await;
        assert_streams(&registry.get(&format!("/v2/app/blobs/{digest}")).await);
    }
}

/// A log that can be read.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_redirect_is_counted_and_logged_as_a_pull_without_its_url() {
    let (log, metrics) = (Log::default(), Metrics::default());
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_max_level(Level::TRACE).with_ansi(false);
    let subscriber = subscriber.with_writer(move || writer.clone()).finish();
    let _logging = tracing::subscriber::set_default(subscriber);

    let (registry, path) = with_blob(&[]).await;
    let answer = registry.with_metrics(&metrics).get(&path).await;
    assert!(answer.header("location").contains(SIGNATURE));
    let page = page(&metrics).await;
    assert_sample(&page, "registry_http_requests_total{handler=\"blob\",method=\"get\",code=\"307\"} 1");
    assert_sample(&page, "berth_registry_pulls_total{kind=\"blob\"} 1");
    assert_sample(&page, "berth_registry_pulled_bytes_total{kind=\"blob\"} 0");
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("status=307"), "{log}");
    for shown in [log, page, format!("{:?}", answer.headers)] {
        assert!(!shown.contains(SIGNATURE) && !shown.contains("X-Amz"), "{shown}");
    }
}
