//! Manifests that are pushed, read and deleted.

use berth_oci::MediaType;
use berth_registry::repository::{Error, Rules};
use serde_json::json;

use crate::fixture::*;
use crate::for_every_store;

for_every_store!(
    a_manifest_is_found_by_tag_and_by_digest_byte_for_byte,
    a_tag_can_be_moved,
    the_keys_of_a_manifest_are_those_of_distribution,
    what_a_manifest_needs_must_be_there,
    what_is_elsewhere_need_not_be_there,
    the_images_of_an_index_must_be_there,
    an_index_may_list_blobs,
    a_subject_need_not_be_there,
    the_digest_of_the_reference_is_verified,
    the_content_type_must_be_that_of_the_manifest,
    bytes_that_are_no_manifest_are_refused,
    a_manifest_that_is_too_large_is_refused,
    a_manifest_of_schema_1_is_served_but_not_taken_in,
    a_manifest_of_an_unknown_kind_is_kept,
    a_manifest_that_was_pushed_as_a_blob_is_found,
    deleting_by_digest_takes_its_tags_along,
    deleting_a_tag_leaves_the_manifest,
    what_is_not_there_cannot_be_deleted,
    a_manifest_of_another_repository_is_unknown,
    a_damaged_link_counts_as_absent_and_is_repaired_by_a_push,
);

async fn a_manifest_is_found_by_tag_and_by_digest_byte_for_byte(fixture: Fixture) {
    let repository = fixture.repository("team/app");
    let image = push_image(&repository, "v1", "{}", &["layer"]).await;
    for reference in ["v1".to_owned(), digest_of(&image).to_string()] {
        let manifest = repository.manifests().get(&self::reference(&reference)).await.unwrap();
        assert_eq!(manifest.digest, digest_of(&image));
        assert_eq!(manifest.media_type.as_str(), MediaType::OCI_IMAGE);
        assert_eq!(manifest.bytes, image.to_string());
        assert_eq!(repository.manifests().head(&self::reference(&reference)).await.unwrap(), manifest);
    }
}

async fn a_tag_can_be_moved(fixture: Fixture) {
    let repository = fixture.repository("app");
    let first = push_image(&repository, "latest", "{}", &["one"]).await;
    let second = push_image(&repository, "latest", "{}", &["two"]).await;
    assert_eq!(repository.manifests().get(&reference("latest")).await.unwrap().digest, digest_of(&second));
    assert!(has_manifest(&repository, &digest_of(&first).to_string()).await);
}

async fn the_keys_of_a_manifest_are_those_of_distribution(fixture: Fixture) {
    let repository = fixture.repository("app");
    let digest = digest_of(&push_image(&repository, "v1", "{}", &[]).await);
    let hex = digest.hex();
    let folder = "docker/registry/v2/repositories/app/_manifests";
    let links = [
        format!("{folder}/revisions/sha256/{hex}/link"),
        format!("{folder}/tags/v1/current/link"),
        format!("{folder}/tags/v1/index/sha256/{hex}/link"),
    ];
    let keys = fixture.keys().await;
    assert_eq!(
        keys.iter().filter(|key| key.starts_with(folder)).collect::<Vec<_>>(),
        links.iter().collect::<Vec<_>>()
    );
    assert!(keys.contains(&format!("docker/registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2])));
    for link in links {
        let object = fixture.store.get(&link.parse().unwrap(), None).await.unwrap();
        assert_eq!(collect(object.body).await, digest.to_string().as_bytes());
    }
}

async fn what_a_manifest_needs_must_be_there(fixture: Fixture) {
    let repository = fixture.repository("app");
    push_blob(&repository, "{}").await;
    push_blob(&fixture.repository("other"), "layer").await;
    let error = push_manifest(&repository, "v1", &image("{}", &["layer"])).await.unwrap_err();
    assert!(matches!(error, Error::ManifestBlobUnknown(digest) if digest == sha256("layer")), "{error:?}");
    let error = push_manifest(&repository, "v1", &image("{ }", &[])).await.unwrap_err();
    assert!(matches!(error, Error::ManifestBlobUnknown(digest) if digest == sha256("{ }")), "{error:?}");
    assert!(!has_manifest(&repository, "v1").await);
}

async fn what_is_elsewhere_need_not_be_there(fixture: Fixture) {
    let repository = fixture.repository("app");
    push_blob(&repository, "{}").await;
    let mut with_urls = image("{}", &["elsewhere"]);
    with_urls["layers"][0]["urls"] = json!(["https://example.com/layer"]);
    push_manifest(&repository, "v1", &with_urls).await.unwrap();
    let mut foreign = image("{}", &["elsewhere"]);
    foreign["layers"][0]["mediaType"] = json!("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip");
    push_manifest(&repository, "v2", &foreign).await.unwrap();
}

async fn the_images_of_an_index_must_be_there(fixture: Fixture) {
    let repository = fixture.repository("app");
    let here = push_image(&repository, "here", "{}", &[]).await;
    let absent = image("{}", &["absent"]);
    let error = push_manifest(&repository, "all", &index(&[&here, &absent])).await.unwrap_err();
    assert!(matches!(error, Error::ManifestBlobUnknown(digest) if digest == digest_of(&absent)), "{error:?}");
    push_manifest(&repository, "all", &index(&[&here])).await.unwrap();
    let stored = repository.manifests().get(&reference("all")).await.unwrap();
    assert!(stored.media_type.is_index());
}

async fn an_index_may_list_blobs(fixture: Fixture) {
    let repository = fixture.repository("cache");
    push_blob(&repository, "cached layer").await;
    let cache = json!({
        "schemaVersion": 2,
        "mediaType": MediaType::OCI_INDEX,
        "manifests": [descriptor("application/vnd.oci.image.layer.v1.tar+gzip", "cached layer")],
    });
    push_manifest(&repository, "v1", &cache).await.unwrap();
}

async fn a_subject_need_not_be_there(fixture: Fixture) {
    let repository = fixture.repository("app");
    push_blob(&repository, "{}").await;
    let (absent, signature) = (image("{}", &["absent"]), image("{}", &[]));
    let pushed = push_manifest(&repository, "signature", &about(&absent, signature)).await.unwrap();
    assert_eq!(pushed.subject, Some(digest_of(&absent)));
}

async fn the_digest_of_the_reference_is_verified(fixture: Fixture) {
    let repository = fixture.repository("app");
    push_blob(&repository, "{}").await;
    let image = image("{}", &[]);
    let wrong = sha256("other").to_string();
    let error = push_manifest(&repository, &wrong, &image).await.unwrap_err();
    assert!(matches!(error, Error::DigestMismatch { .. }), "{error:?}");
    let by_sha512 = sha512(image.to_string()).to_string();
    assert_eq!(push_manifest(&repository, &by_sha512, &image).await.unwrap().digest.to_string(), by_sha512);
    assert!(has_manifest(&repository, &by_sha512).await);
}

async fn the_content_type_must_be_that_of_the_manifest(fixture: Fixture) {
    let repository = fixture.repository("app");
    push_blob(&repository, "{}").await;
    let bytes = image("{}", &[]).to_string();
    let docker: MediaType = MediaType::DOCKER_IMAGE.parse().unwrap();
    let error =
        repository.manifests().put(&reference("v1"), Some(&docker), bytes.clone().into()).await.unwrap_err();
    assert!(matches!(error, Error::ManifestInvalid(_)), "{error:?}");
    let oci: MediaType = MediaType::OCI_IMAGE.parse().unwrap();
    repository.manifests().put(&reference("v1"), Some(&oci), bytes.into()).await.unwrap();
}

async fn bytes_that_are_no_manifest_are_refused(fixture: Fixture) {
    let repository = fixture.repository("app");
    for bytes in ["", "x", "[]", "{}", "{\"schemaVersion\": 2}"] {
        let error = repository.manifests().put(&reference("v1"), None, bytes.into()).await.unwrap_err();
        assert!(matches!(error, Error::ManifestInvalid(_)), "{bytes}: {error:?}");
    }
    assert!(fixture.keys().await.is_empty());
}

async fn a_manifest_that_is_too_large_is_refused(fixture: Fixture) {
    let small = Rules { max_manifest_size: 100, ..Rules::default() };
    let repository = fixture.with_rules(small).repository(name("app"));
    push_blob(&repository, "{}").await;
    let error = push_manifest(&repository, "v1", &image("{}", &[])).await.unwrap_err();
    assert!(matches!(error, Error::TooLarge { limit: 100 }), "{error:?}");
}

async fn a_manifest_of_schema_1_is_served_but_not_taken_in(fixture: Fixture) {
    let repository = fixture.repository("old");
    let schema1 =
        json!({"schemaVersion": 1, "name": "old", "fsLayers": [], "history": [], "signatures": [{}]});
    let error = push_manifest(&repository, "v1", &schema1).await.unwrap_err();
    assert!(matches!(error, Error::ManifestObsolete), "{error:?}");

    let hex = digest_of(&schema1).hex();
    let root = "docker/registry/v2";
    let condition = berth_storage::PutCondition::Always;
    for (key, content) in [
        (format!("{root}/blobs/sha256/{}/{hex}/data", &hex[..2]), schema1.to_string()),
        (format!("{root}/repositories/old/_manifests/revisions/sha256/{hex}/link"), format!("sha256:{hex}")),
        (format!("{root}/repositories/old/_manifests/tags/v1/current/link"), format!("sha256:{hex}")),
    ] {
        fixture.store.put(&key.parse().unwrap(), content.into(), condition.clone()).await.unwrap();
    }
    let stored = repository.manifests().get(&reference("v1")).await.unwrap();
    assert_eq!(stored.media_type.as_str(), MediaType::DOCKER_SCHEMA1_SIGNED);
    assert_eq!(stored.bytes, schema1.to_string());
}

async fn a_manifest_of_an_unknown_kind_is_kept(fixture: Fixture) {
    let repository = fixture.repository("app");
    let manifest = json!({"mediaType": "application/vnd.example.thing+json", "layers": "none of yours"});
    push_manifest(&repository, "v1", &manifest).await.unwrap();
    let stored = repository.manifests().get(&reference("v1")).await.unwrap();
    assert_eq!(stored.media_type.as_str(), "application/vnd.example.thing+json");
    assert_eq!(stored.bytes, manifest.to_string());
}

async fn a_manifest_that_was_pushed_as_a_blob_is_found(fixture: Fixture) {
    let repository = fixture.repository("app");
    let image = image("{}", &[]).to_string();
    let manifest = push_blob(&repository, &image).await;
    let no_manifest = push_blob(&repository, "layer").await;
    assert!(has_manifest(&repository, &manifest.to_string()).await);
    assert!(!has_manifest(&repository, &no_manifest.to_string()).await);
}

async fn deleting_by_digest_takes_its_tags_along(fixture: Fixture) {
    let repository = fixture.repository("app");
    let image = push_image(&repository, "v1", "{}", &["layer"]).await;
    push_manifest(&repository, "v1.0", &image).await.unwrap();
    push_manifest(&repository, "moved", &image).await.unwrap();
    push_image(&repository, "moved", "{}", &["newer"]).await;
    let digest = digest_of(&image);
    repository.manifests().delete(&reference(&digest.to_string())).await.unwrap();
    for gone in ["v1", "v1.0", &digest.to_string()] {
        assert!(!has_manifest(&repository, gone).await, "{gone}");
    }
    assert!(has_manifest(&repository, "moved").await);
    let links = fixture.keys().await.into_iter().filter(|key| key.contains("_manifests"));
    assert!(!links.into_iter().any(|key| key.contains(&digest.hex())));
}

async fn deleting_a_tag_leaves_the_manifest(fixture: Fixture) {
    let repository = fixture.repository("app");
    let image = push_image(&repository, "v1", "{}", &[]).await;
    push_manifest(&repository, "v2", &image).await.unwrap();
    repository.manifests().delete(&reference("v1")).await.unwrap();
    assert!(!has_manifest(&repository, "v1").await);
    assert!(has_manifest(&repository, "v2").await);
    assert!(has_manifest(&repository, &digest_of(&image).to_string()).await);
    assert!(!fixture.keys().await.iter().any(|key| key.contains("/v1/")));
}

async fn what_is_not_there_cannot_be_deleted(fixture: Fixture) {
    let repository = fixture.repository("app");
    push_image(&repository, "v1", "{}", &[]).await;
    for absent in ["v2".to_owned(), sha256("other").to_string()] {
        let error = repository.manifests().delete(&reference(&absent)).await.unwrap_err();
        assert!(matches!(error, Error::ManifestUnknown(_)), "{error:?}");
    }
}

async fn a_manifest_of_another_repository_is_unknown(fixture: Fixture) {
    let image = push_image(&fixture.repository("theirs"), "v1", "{}", &[]).await;
    assert!(!has_manifest(&fixture.repository("mine"), "v1").await);
    assert!(!has_manifest(&fixture.repository("mine"), &digest_of(&image).to_string()).await);
}

async fn a_damaged_link_counts_as_absent_and_is_repaired_by_a_push(fixture: Fixture) {
    let repository = fixture.repository("app");
    let image = push_image(&repository, "v1", "{}", &[]).await;
    for key in fixture.keys().await.iter().filter(|key| key.ends_with("/link")) {
        let condition = berth_storage::PutCondition::Always;
        fixture.store.put(&key.parse().unwrap(), "".into(), condition).await.unwrap();
    }
    assert!(!has_manifest(&repository, "v1").await);
    push_image(&repository, "v1", "{}", &[]).await;
    assert_eq!(repository.manifests().get(&reference("v1")).await.unwrap().bytes, image.to_string());
}
