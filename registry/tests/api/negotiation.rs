//! Which form of a manifest a client gets, by what it accepts.

use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use crate::fixture::{Answer, OCI_INDEX, OCI_MANIFEST, Registry, descriptor, digest_of};

const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

async fn pull(registry: &Registry, reference: &str, accept: &[&str]) -> Answer {
    let headers: Vec<_> = accept.iter().map(|accept| ("accept", *accept)).collect();
    registry.send(Method::GET, &format!("/v2/app/manifests/{reference}"), &headers, "").await
}

/// An index under `latest` of an image that has the type `image_type` and is for Linux on AMD64; returns the image.
async fn with_index(index_type: &str, image_type: &str) -> (Registry, Value) {
    let registry = Registry::new();
    let mut children = Vec::new();
    let mut wanted = Value::Null;
    for architecture in ["arm64", "amd64"] {
        let mut image = registry.image("app", architecture).await;
        image["mediaType"] = json!(image_type);
        let bytes = image.to_string();
        registry.push_manifest("app", &digest_of(bytes.as_bytes()).to_string(), &image).await;
        let mut child = descriptor(image_type, bytes.as_bytes());
        child["platform"] = json!({ "os": "linux", "architecture": architecture });
        children.push(child);
        wanted = image;
    }
    let index = json!({ "schemaVersion": 2, "mediaType": index_type, "manifests": children });
    assert_eq!(registry.push_manifest("app", "latest", &index).await.status, StatusCode::CREATED);
    (registry, wanted)
}

#[tokio::test]
async fn a_client_of_single_images_gets_the_one_for_linux_on_amd64() {
    for (index_type, image_type) in [(OCI_INDEX, OCI_MANIFEST), (DOCKER_LIST, DOCKER_MANIFEST)] {
        let (registry, image) = with_index(index_type, image_type).await;
        let answer = pull(&registry, "latest", &[image_type]).await;
        assert_eq!((answer.status, answer.text()), (StatusCode::OK, image.to_string()));
        assert_eq!(answer.header("content-type"), image_type);
        assert_eq!(answer.header("docker-content-digest"), digest_of(&answer.body).to_string());
    }
}

#[tokio::test]
async fn a_client_that_accepts_the_index_or_everything_gets_the_index() {
    let (registry, _) = with_index(OCI_INDEX, OCI_MANIFEST).await;
    for accept in [
        vec![],
        vec!["*/*"],
        vec!["application/*"],
        vec![OCI_MANIFEST, OCI_INDEX],
        vec!["application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json;q=0.5"],
        vec!["application/json"],
    ] {
        let answer = pull(&registry, "latest", &accept).await;
        assert_eq!(answer.header("content-type"), OCI_INDEX, "{accept:?}");
    }
}

#[tokio::test]
async fn a_client_that_knows_none_of_oci_does_not_get_it_under_a_tag() {
    let (registry, _) = with_index(OCI_INDEX, OCI_MANIFEST).await;
    registry.push_image("app", "single").await;
    for tag in ["latest", "single"] {
        for accept in [DOCKER_MANIFEST, DOCKER_LIST] {
            let answer = pull(&registry, tag, &[accept]).await;
            answer.assert_error(404, "MANIFEST_UNKNOWN");
            assert!(answer.text().contains("which Accept does not name"), "{}", answer.text());
        }
    }
}

#[tokio::test]
async fn an_image_of_docker_is_sent_to_everybody() {
    let registry = Registry::new();
    let mut image = registry.image("app", "one").await;
    image["mediaType"] = json!(DOCKER_MANIFEST);
    registry.push_manifest("app", "latest", &image).await;
    for accept in [OCI_MANIFEST, "application/vnd.docker.distribution.manifest.v1+prettyjws", "text/html"] {
        let answer = pull(&registry, "latest", &[accept]).await;
        assert_eq!(answer.header("content-type"), DOCKER_MANIFEST, "{accept}");
    }
}

#[tokio::test]
async fn who_asks_by_digest_gets_what_it_names() {
    let (registry, _) = with_index(OCI_INDEX, OCI_MANIFEST).await;
    let digest = registry.head("/v2/app/manifests/latest").await.header("docker-content-digest").to_owned();
    for accept in [OCI_MANIFEST, DOCKER_MANIFEST] {
        assert_eq!(pull(&registry, &digest, &[accept]).await.header("content-type"), OCI_INDEX);
    }
}
