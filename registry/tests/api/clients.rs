//! What clients rely on beyond the words of the specification: one test a rule, named after who needs it.

use hyper::{Method, StatusCode};
use serde_json::json;

use crate::fixture::{Answer, OCI_MANIFEST, Registry, absent, digest_of};

const OCTET_STREAM: (&str, &str) = ("content-type", "application/octet-stream");

async fn assert_is_there(registry: &Registry, location: &str, length: usize) {
    let answer = registry.head(location).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-length"), length.to_string());
}

#[tokio::test]
async fn docker_streams_a_layer_of_unknown_length_and_commits_it_with_an_empty_body() {
    let registry = Registry::new();
    let started = registry.post("/v2/app/blobs/uploads/", "").await;
    assert_eq!((started.status, started.header("range")), (StatusCode::ACCEPTED, "0-0"));
    let patched = registry.patch(&started.location_path(), "layer").await;
    assert_eq!((patched.status, patched.header("range")), (StatusCode::ACCEPTED, "0-4"));
    assert_eq!(patched.header("docker-upload-uuid"), started.header("docker-upload-uuid"));
    let commit = format!("{}?digest={}", patched.location_path(), digest_of(b"layer"));
    let committed = registry.put(&commit, "").await;
    assert_eq!(committed.status, StatusCode::CREATED);
    assert_is_there(&registry, &committed.location_path(), 5).await;
}

#[tokio::test]
async fn docker_looks_for_a_mounted_layer_at_once() {
    let registry = Registry::new();
    let digest = registry.push_blob("base", b"layer").await;
    let mounted = registry.post(&format!("/v2/app/blobs/uploads/?mount={digest}&from=base"), "").await;
    assert_eq!(mounted.status, StatusCode::CREATED);
    assert_is_there(&registry, &mounted.location_path(), 5).await;
}

#[tokio::test]
async fn docker_tolerates_that_an_upload_to_be_cancelled_is_gone() {
    let registry = Registry::new();
    let upload = registry.start_upload("app").await;
    assert_eq!(registry.delete(&upload).await.status, StatusCode::NO_CONTENT);
    registry.delete(&upload).await.assert_error(404, "BLOB_UPLOAD_UNKNOWN");
}

#[tokio::test]
async fn docker_reads_the_digest_of_a_tag_from_the_head_of_its_manifest() {
    let registry = Registry::new();
    let digest = registry.push_image("app", "latest").await;
    let accept = [
        ("accept", "application/vnd.docker.distribution.manifest.v2+json"),
        ("accept", "application/vnd.docker.distribution.manifest.list.v2+json"),
        ("accept", OCI_MANIFEST),
    ];
    let answer = registry.send(Method::HEAD, "/v2/app/manifests/latest", &accept, "").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("docker-content-digest"), digest.to_string());
}

#[tokio::test]
async fn containerd_accepts_a_type_and_everything_else() {
    let registry = Registry::new();
    let digest = registry.push_image("app", "latest").await;
    let accept = [("accept", "application/vnd.docker.distribution.manifest.v2+json, */*")];
    for reference in ["latest".to_owned(), digest.to_string()] {
        let path = format!("/v2/app/manifests/{reference}");
        let answer = registry.send(Method::HEAD, &path, &accept, "").await;
        assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, OCI_MANIFEST));
    }
}

#[tokio::test]
async fn containerd_finds_manifests_among_blobs_and_no_blobs_among_manifests() {
    let registry = Registry::new();
    let (manifest, blob) =
        (registry.push_image("app", "latest").await, registry.push_blob("app", b"layer").await);
    let as_blob = registry.get(&format!("/v2/app/blobs/{manifest}")).await;
    assert_eq!(digest_of(&as_blob.body), manifest);
    registry.get(&format!("/v2/app/manifests/{blob}")).await.assert_error(404, "MANIFEST_UNKNOWN");
}

#[tokio::test]
async fn containerd_offers_to_take_blobs_compressed_and_must_get_them_as_they_are() {
    let registry = Registry::new();
    let content = vec![b'a'; 8 * 1024];
    let digest = registry.push_blob("app", &content).await;
    let headers = [("accept-encoding", "zstd;q=1.0, gzip;q=0.8, deflate;q=0.5")];
    let answer = registry.send(Method::GET, &format!("/v2/app/blobs/{digest}"), &headers, "").await;
    assert!(!answer.headers.contains_key("content-encoding"));
    assert_eq!(answer.body, content);
    registry.push_image("app", "latest").await;
    let answer = registry.send(Method::GET, "/v2/app/manifests/latest", &headers, "").await;
    assert!(!answer.headers.contains_key("content-encoding"));
}

#[tokio::test]
async fn containerd_asks_for_the_rest_of_a_blob_from_several_places() {
    let registry = Registry::new();
    let digest = registry.push_blob("app", b"0123456789").await;
    for (start, rest) in [("0", "0123456789"), ("5", "56789")] {
        let headers = [("range", &*format!("bytes={start}-"))];
        let answer = registry.send(Method::GET, &format!("/v2/app/blobs/{digest}"), &headers, "").await;
        assert_eq!((answer.status, answer.text().as_str()), (StatusCode::PARTIAL_CONTENT, rest));
    }
}

#[tokio::test]
async fn containerd_tells_a_mirror_whose_images_it_wants() {
    let registry = Registry::new();
    registry.push_image("app", "latest").await;
    let answer = registry.get("/v2/app/manifests/latest?ns=registry.example.com").await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn containerd_puts_a_whole_blob_to_the_location_with_the_digest_added() {
    let registry = Registry::new();
    let upload = registry.start_upload("app").await;
    let separator = if upload.contains('?') { '&' } else { '?' };
    let path = format!("{upload}{separator}digest={}", digest_of(b"layer"));
    let answer = registry.send(Method::PUT, &path, &[OCTET_STREAM, ("content-length", "5")], "layer").await;
    assert_eq!(answer.status, StatusCode::CREATED);
}

#[tokio::test]
async fn crane_names_the_origin_of_a_mount_and_says_that_it_sends_json() {
    let registry = Registry::new();
    let digest = registry.push_blob("base", b"layer").await;
    let path = format!("/v2/app/blobs/uploads/?mount={digest}&from=base&origin=hub.example.com");
    let json = [("content-type", "application/json")];
    let answer = registry.send(Method::POST, &path, &json, "").await;
    assert_eq!(answer.status, StatusCode::CREATED);
}

#[tokio::test]
async fn crane_finds_the_length_of_a_blob_where_the_manifest_says_it() {
    let registry = Registry::new();
    let manifest = registry.image("app", "one").await;
    registry.push_manifest("app", "latest", &manifest).await;
    for described in [&manifest["config"], &manifest["layers"][0]] {
        let path = format!("/v2/app/blobs/{}", described["digest"].as_str().unwrap());
        assert_eq!(registry.get(&path).await.header("content-length"), described["size"].to_string());
    }
}

#[tokio::test]
async fn skopeo_goes_on_at_the_location_that_the_last_answer_names() {
    let registry = Registry::new();
    let started = registry.post("/v2/app/blobs/uploads/", "").await;
    let patched = registry.send(Method::PATCH, &started.location_path(), &[OCTET_STREAM], "layer").await;
    let path = format!("{}?digest={}", patched.location_path(), digest_of(b"layer"));
    assert_eq!(registry.send(Method::PUT, &path, &[OCTET_STREAM], "").await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn skopeo_deletes_by_the_digest_of_what_it_got() {
    let registry = Registry::new();
    registry.push_image("app", "latest").await;
    let manifest = registry.get("/v2/app/manifests/latest").await;
    let path = format!("/v2/app/manifests/{}", digest_of(&manifest.body));
    assert_eq!(registry.delete(&path).await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn podman_tries_mounts_from_many_repositories_and_then_uploads() {
    let registry = Registry::new();
    for from in ["no/such", "Not%20a%20name", ""] {
        let path = format!("/v2/app/blobs/uploads/?mount={}&from={from}", absent());
        let answer: Answer = registry.post(&path, "").await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{from}");
        let upload = format!("{}?digest={}", answer.location_path(), digest_of(b"layer"));
        assert_eq!(registry.put(&upload, "layer").await.status, StatusCode::CREATED);
    }
}

#[tokio::test]
async fn helm_finds_its_chart_under_a_tag_with_an_underscore() {
    let registry = Registry::new();
    let mut chart = registry.image("charts/app", "chart").await;
    chart["config"]["mediaType"] = json!("application/vnd.cncf.helm.config.v1+json");
    let answer = registry.push_manifest("charts/app", "1.0.0_build.7", &chart).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
    let tags = registry.get("/v2/charts/app/tags/list").await.json();
    assert_eq!(tags["tags"], json!(["1.0.0_build.7"]));
}

/// The entries of all pages of a list, which the answers link to each other.
async fn all_pages(registry: &Registry, first: &str, list: &str) -> Vec<serde_json::Value> {
    let (mut entries, mut next) = (Vec::new(), Some(first.to_owned()));
    while let Some(path) = next {
        let answer = registry.get(&path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text());
        entries.extend(answer.json()[list].as_array().unwrap().clone());
        let link = answer.headers.get("link").map(|link| link.to_str().unwrap());
        next = link
            .map(|link| link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap().to_owned());
    }
    entries
}

#[tokio::test]
async fn crane_and_user_interfaces_ask_for_more_than_a_page_and_follow_the_links() {
    let registry = Registry::with_pages_of(2);
    for name in ["a", "b", "c", "d", "e"] {
        registry.push_image("team/app", name).await;
        registry.push_image(name, "latest").await;
    }
    for n in [1000, 100_000] {
        let tags = all_pages(&registry, &format!("/v2/team/app/tags/list?n={n}"), "tags").await;
        assert_eq!(tags, ["a", "b", "c", "d", "e"]);
        let names = all_pages(&registry, &format!("/v2/_catalog?n={n}"), "repositories").await;
        assert_eq!(names, ["a", "b", "c", "d", "e", "team/app"]);
    }
}

#[tokio::test]
async fn cosign_keeps_a_signature_under_a_tag_that_is_made_of_the_digest() {
    let registry = Registry::new();
    let digest = registry.push_image("app", "latest").await;
    let signature = registry.image("app", "signature").await;
    for suffix in ["sig", "att", "sbom"] {
        let tag = format!("sha256-{}.{suffix}", digest.hex());
        assert_eq!(registry.push_manifest("app", &tag, &signature).await.status, StatusCode::CREATED);
        assert_eq!(registry.head(&format!("/v2/app/manifests/{tag}")).await.status, StatusCode::OK);
    }
}
