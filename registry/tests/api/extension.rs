//! Our own endpoints: deleting a repository, copying, tags with what they point at, and how they are discovered.

use hyper::{Method, StatusCode};
use serde_json::json;

use crate::{
    authorization::Guarded,
    fixture::{OCI_MANIFEST, Registry, absent, digest_of},
};

#[tokio::test]
async fn a_deleted_repository_is_gone_and_those_nested_in_it_stay() {
    let registry = Registry::new();
    let digest = registry.push_image("team/app", "latest").await;
    registry.push_image("team/app/web", "latest").await;
    let answer = registry.delete("/v2/team/app/_berth/repository").await;
    assert_eq!((answer.status, answer.text().as_str()), (StatusCode::ACCEPTED, ""));
    registry.get("/v2/team/app/tags/list").await.assert_error(404, "NAME_UNKNOWN");
    registry.get(&format!("/v2/team/app/manifests/{digest}")).await.assert_error(404, "MANIFEST_UNKNOWN");
    assert_eq!(registry.get("/v2/_catalog").await.json(), json!({ "repositories": ["team/app/web"] }));
    registry.delete("/v2/team/app/_berth/repository").await.assert_error(404, "NAME_UNKNOWN");
    registry.delete("/v2/Team/_berth/repository").await.assert_error(400, "NAME_INVALID");
}

#[tokio::test]
async fn a_repository_stays_where_deletion_is_switched_off() {
    let registry = Registry::configured(&[("REGISTRY_STORAGE_DELETE_ENABLED", "false")]);
    registry.push_image("app", "latest").await;
    registry.delete("/v2/app/_berth/repository").await.assert_error(405, "UNSUPPORTED");
    assert_eq!(registry.get("/v2/app/manifests/latest").await.status, StatusCode::OK);
}

#[tokio::test]
async fn deleting_a_repository_needs_the_right_to_delete() {
    let guarded = Guarded::new();
    guarded.user("ci").push_image("team/app", "latest").await;
    guarded.user("ci").delete("/v2/team/app/_berth/repository").await.assert_error(403, "DENIED");
    let deleted = guarded.user("admin").delete("/v2/team/app/_berth/repository").await;
    assert_eq!(deleted.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn a_copy_is_found_under_its_tag_with_all_its_blobs() {
    let registry = Registry::new();
    let digest = registry.push_image("staging/app", "rc").await;
    let answer = registry.post("/v2/team/app/_berth/copy?from=staging/app&reference=rc&tag=1.4", "").await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
    assert_eq!(answer.header("docker-content-digest"), digest.to_string());
    assert_eq!(answer.location_path(), format!("/v2/team/app/manifests/{digest}"));
    let copy = registry.get("/v2/team/app/manifests/1.4").await;
    assert_eq!(copy.header("content-type"), OCI_MANIFEST);
    assert_eq!(digest_of(&copy.body), digest);
    let layer = copy.json()["layers"][0]["digest"].as_str().unwrap().to_owned();
    assert_eq!(registry.head(&format!("/v2/team/app/blobs/{layer}")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_copy_without_a_tag_keeps_the_reference_and_without_a_source_the_repository() {
    let registry = Registry::new();
    let digest = registry.push_image("app", "1").await;
    registry.post("/v2/same/_berth/copy?from=app&reference=1", "").await;
    registry.post(&format!("/v2/untagged/_berth/copy?from=app&reference={digest}"), "").await;
    registry.post("/v2/app/_berth/copy?reference=1&tag=2", "").await;
    for path in ["same/manifests/1", &format!("untagged/manifests/{digest}"), "app/manifests/2"] {
        let found = registry.get(&format!("/v2/{path}")).await;
        assert_eq!(digest_of(&found.body), digest, "{path}");
    }
    assert_eq!(registry.get("/v2/untagged/tags/list").await.json()["tags"], json!([]));
}

#[tokio::test]
async fn a_copy_that_cannot_be_made_is_explained() {
    let registry = Registry::new();
    registry.push_image("app", "1").await;
    let copy = async |query: &str| registry.post(&format!("/v2/copy/_berth/copy?{query}"), "").await;
    copy("from=app&reference=2").await.assert_error(404, "MANIFEST_UNKNOWN");
    copy(&format!("from=app&reference={}", absent())).await.assert_error(404, "MANIFEST_UNKNOWN");
    copy("from=app").await.assert_error(400, "TAG_INVALID");
    copy("from=app&reference=1&tag=-").await.assert_error(400, "TAG_INVALID");
    copy("from=App&reference=1").await.assert_error(400, "NAME_INVALID");
    copy("from=app&reference=sha256:0").await.assert_error(400, "DIGEST_INVALID");
    registry.get("/v2/copy/tags/list").await.assert_error(404, "NAME_UNKNOWN");
}

#[tokio::test]
async fn a_copy_needs_the_right_to_pull_from_its_source() {
    let guarded = Guarded::new();
    guarded.user("admin").push_image("private", "1").await;
    let path = "/v2/team/app/_berth/copy?from=private&reference=1";
    let answer = guarded.user("ci").post(path, "").await;
    answer.assert_error(403, "DENIED");
    assert!(answer.text().contains("ci may not pull in the repository private"), "{}", answer.text());
    assert_eq!(guarded.user("admin").post(path, "").await.status, StatusCode::CREATED);
    guarded.user("reader").post(path, "").await.assert_error(403, "DENIED");
}

#[tokio::test]
async fn tags_are_listed_with_what_they_point_at() {
    let registry = Registry::new();
    let digest = registry.push_image("team/app", "1").await;
    registry.push_image("team/app", "2").await;
    let answer = registry.get("/v2/team/app/_berth/tags?n=1").await;
    assert_eq!(answer.header("link"), "</v2/team/app/_berth/tags?n=1&last=1>; rel=\"next\"");
    let list = answer.json();
    assert_eq!(list["name"], "team/app");
    let tag = &list["tags"][0];
    assert_eq!((&tag["tag"], &tag["digest"]), (&json!("1"), &json!(digest.to_string())));
    assert_eq!(tag["mediaType"], OCI_MANIFEST);
    let manifest = registry.get("/v2/team/app/manifests/1").await.body.len() as u64;
    assert!(tag["size"].as_u64().unwrap() > manifest, "with config and layer: {tag}");
    assert!(tag["updated"].as_str().unwrap().ends_with('Z'), "{tag}");
    registry.get("/v2/nobody/_berth/tags").await.assert_error(404, "NAME_UNKNOWN");
}

#[tokio::test]
async fn the_extensions_are_discovered_and_each_endpoint_exists() {
    let registry = Registry::new();
    for base in ["/v2/", "/v2/team/app/"] {
        let answer = registry.get(&format!("{base}_oci/ext/discover")).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        let extension = answer.json()["extensions"][0].clone();
        assert_eq!(extension["name"], "_berth");
        assert_eq!(extension["url"], "http://hub.example.com/v2/_berth");
        for endpoint in extension["endpoints"].as_array().unwrap() {
            let path = format!("{base}{}", endpoint.as_str().unwrap());
            let answer = registry.send(Method::PATCH, &path, &[], "").await;
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        }
    }
}

#[tokio::test]
async fn the_extension_documents_itself() {
    let answer = Registry::new().get("/v2/_berth").await;
    assert_eq!(answer.header("content-type"), "text/markdown; charset=utf-8");
    assert!(answer.text().starts_with("# The `_berth` extension"));
}
