//! Kinds of content that images are not usually made of.

use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use crate::fixture::{OCI_INDEX, OCI_LAYER, OCI_MANIFEST, Registry, absent, descriptor, digest_of, sha512};

/// Pushes the manifest and gets it back as it is.
async fn assert_kept(registry: &Registry, tag: &str, manifest: &Value) {
    let pushed = registry.push_manifest("app", tag, manifest).await;
    assert_eq!(pushed.status, StatusCode::CREATED, "{}", pushed.text());
    let pulled = registry.get(&format!("/v2/app/manifests/{tag}")).await;
    assert_eq!(pulled.text(), manifest.to_string());
    assert_eq!(pulled.header("content-type"), manifest["mediaType"].as_str().unwrap());
}

fn index(children: &[&Value]) -> Value {
    let children: Vec<_> = children
        .iter()
        .map(|child| descriptor(child["mediaType"].as_str().unwrap(), child.to_string().as_bytes()))
        .collect();
    json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children })
}

#[tokio::test]
async fn a_blob_of_no_bytes_is_a_blob() {
    let registry = Registry::new();
    let digest = registry.push_blob("app", b"").await;
    let path = format!("/v2/app/blobs/{digest}");
    for answer in [registry.head(&path).await, registry.get(&path).await] {
        assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, 0));
        assert_eq!(answer.header("content-length"), "0");
    }
    let upload = registry.start_upload("app").await;
    let patched = registry.patch(&upload, "").await;
    assert_eq!((patched.status, patched.header("range")), (StatusCode::ACCEPTED, "0-0"));
    let finished = registry.put(&format!("{upload}?digest={digest}"), "").await;
    assert_eq!(finished.status, StatusCode::CREATED, "{}", finished.text());
}

#[tokio::test]
async fn an_image_without_layers_is_an_image() {
    let registry = Registry::new();
    let mut image = registry.image("app", "empty").await;
    image["layers"] = json!([]);
    assert_kept(&registry, "empty", &image).await;
}

#[tokio::test]
async fn an_index_of_nothing_is_an_index() {
    assert_kept(&Registry::new(), "nothing", &index(&[])).await;
}

#[tokio::test]
async fn an_index_may_list_an_index() {
    let registry = Registry::new();
    let image = registry.image("app", "one").await;
    assert_kept(&registry, "image", &image).await;
    let inner = index(&[&image]);
    assert_kept(&registry, "inner", &inner).await;
    assert_kept(&registry, "outer", &index(&[&inner])).await;
}

#[tokio::test]
async fn an_index_that_lists_what_is_not_there_is_refused() {
    let registry = Registry::new();
    let image = registry.image("app", "unpushed").await;
    let answer = registry.push_manifest("app", "sparse", &index(&[&image])).await;
    answer.assert_error(404, "MANIFEST_BLOB_UNKNOWN");
    let missing = digest_of(image.to_string().as_bytes()).to_string();
    assert_eq!(answer.json()["errors"][0]["detail"]["digest"], missing);
}

#[tokio::test]
async fn an_image_may_lack_its_layers_where_that_is_configured() {
    for (layers, status) in [("all", 404), ("none", 201)] {
        let registry = Registry::configured(&[("REGISTRY_VALIDATION_MANIFESTS_IMAGES_LAYERS", layers)]);
        let mut image = registry.image("app", "sparse").await;
        image["layers"].as_array_mut().unwrap().push(descriptor(OCI_LAYER, b"never pushed"));
        assert_eq!(registry.push_manifest("app", "sparse", &image).await.status, status, "{layers}");
    }
}

#[tokio::test]
async fn layers_that_stay_elsewhere_need_not_be_pushed() {
    let registry = Registry::new();
    let foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
    let nondistributable = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
    for (tag, media_type) in
        [("foreign", foreign), ("nondistributable", nondistributable), ("url", OCI_LAYER)]
    {
        let mut image = registry.image("app", tag).await;
        let mut layer = descriptor(media_type, b"never pushed");
        layer["urls"] = json!(["https://example.com/layer.tar.gz"]);
        image["layers"].as_array_mut().unwrap().push(layer);
        assert_kept(&registry, tag, &image).await;
    }
}

#[tokio::test]
async fn a_subject_may_be_missing_and_has_its_referrer_all_the_same() {
    let registry = Registry::new();
    let mut signature = registry.image("app", "signature").await;
    signature["subject"] = json!({ "mediaType": OCI_MANIFEST, "digest": absent().to_string(), "size": 7 });
    assert_kept(&registry, "signature", &signature).await;
    let referrers = registry.get(&format!("/v2/app/referrers/{}", absent())).await.json();
    let digest = digest_of(signature.to_string().as_bytes()).to_string();
    assert_eq!(referrers["manifests"][0]["digest"], digest);
}

#[tokio::test]
async fn a_descriptor_may_carry_its_content() {
    let registry = Registry::new();
    let mut image = registry.image("app", "data").await;
    image["config"]["data"] = json!("e30=");
    assert_kept(&registry, "data", &image).await;
}

#[tokio::test]
async fn blobs_of_sha512_are_pushed_pulled_mounted_and_deleted() {
    let registry = Registry::new();
    let digest = sha512(b"long");
    let upload = registry.post("/v2/base/blobs/uploads/?digest-algorithm=sha512", "").await.location_path();
    registry.patch(&upload, "lo").await;
    let pushed = registry.put(&format!("{upload}?digest={digest}"), "ng").await;
    assert_eq!(pushed.status, StatusCode::CREATED, "{}", pushed.text());
    assert_eq!(pushed.header("docker-content-digest"), digest.to_string());
    for query in ["&from=base", ""] {
        let repository = format!("app{}", query.len());
        let mount = format!("/v2/{repository}/blobs/uploads/?mount={digest}{query}");
        assert_eq!(registry.post(&mount, "").await.status, StatusCode::CREATED, "{query}");
        let path = format!("/v2/{repository}/blobs/{digest}");
        let pulled = registry.get(&path).await;
        assert_eq!((pulled.text().as_str(), pulled.header("content-length")), ("long", "4"));
        assert_eq!(pulled.header("docker-content-digest"), digest.to_string());
        assert_eq!(registry.delete(&path).await.status, StatusCode::ACCEPTED);
        registry.get(&path).await.assert_error(404, "BLOB_UNKNOWN");
    }
}

#[tokio::test]
async fn an_upload_for_an_algorithm_that_nobody_has_is_refused() {
    let registry = Registry::new();
    for algorithm in ["md5", "sha384", "..%2F"] {
        let path = format!("/v2/app/blobs/uploads/?digest-algorithm={algorithm}");
        registry.post(&path, "").await.assert_error(400, "DIGEST_INVALID");
    }
}

#[tokio::test]
async fn manifests_of_sha512_have_tags_children_and_referrers() {
    let registry = Registry::new();
    let image = registry.image("app", "one").await;
    let digest = sha512(image.to_string().as_bytes());
    let pushed = registry.push_manifest("app", &format!("{digest}?tag=latest"), &image).await;
    assert_eq!((pushed.status, pushed.header("oci-tag")), (StatusCode::CREATED, "latest"));
    let head = registry.head("/v2/app/manifests/latest").await;
    assert_eq!(head.header("docker-content-digest"), digest.to_string());

    let child = json!({ "mediaType": OCI_MANIFEST, "digest": digest.to_string(), "size": 1 });
    let list = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [child] });
    assert_kept(&registry, "list", &list).await;

    let mut signature = registry.image("app", "signature").await;
    signature["subject"] = json!({ "mediaType": OCI_MANIFEST, "digest": digest.to_string(), "size": 1 });
    let pushed = registry.push_manifest("app", "signature", &signature).await;
    assert_eq!(pushed.header("oci-subject"), digest.to_string());
    let referrers = registry.get(&format!("/v2/app/referrers/{digest}")).await.json();
    assert_eq!(referrers["manifests"].as_array().unwrap().len(), 1);

    assert_eq!(registry.delete(&format!("/v2/app/manifests/{digest}")).await.status, StatusCode::ACCEPTED);
    registry.get("/v2/app/manifests/latest").await.assert_error(404, "MANIFEST_UNKNOWN");
}

#[tokio::test]
async fn a_manifest_of_schema_1_is_served_and_never_taken_in() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::over_folder(folder.path());
    let signed = r#"{"schemaVersion": 1, "name": "old", "fsLayers": [], "history": [], "signatures": [{}]}"#;
    let prettyjws = "application/vnd.docker.distribution.manifest.v1+prettyjws";
    let digest = digest_of(signed.as_bytes());
    let (root, hex) = (folder.path().join("docker/registry/v2"), digest.hex());
    for (path, content) in [
        (format!("blobs/sha256/{}/{hex}/data", &hex[..2]), signed.to_owned()),
        (format!("repositories/old/_manifests/revisions/sha256/{hex}/link"), digest.to_string()),
        ("repositories/old/_manifests/tags/v1/current/link".to_owned(), digest.to_string()),
    ] {
        std::fs::create_dir_all(root.join(&path).parent().unwrap()).unwrap();
        std::fs::write(root.join(path), content).unwrap();
    }
    for reference in ["v1".to_owned(), digest.to_string()] {
        let answer = registry.get(&format!("/v2/old/manifests/{reference}")).await;
        assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, prettyjws));
        assert_eq!(answer.text(), signed);
    }
    let headers = [("content-type", prettyjws)];
    let path = "/v2/old/manifests/v2";
    let answer = registry.send(Method::PUT, path, &headers, signed).await;
    answer.assert_error(400, "MANIFEST_INVALID");
    assert_eq!(registry.delete(&format!("/v2/old/manifests/{digest}")).await.status, StatusCode::ACCEPTED);
}
