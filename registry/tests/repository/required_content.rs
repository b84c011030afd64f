//! Manifests that lack some of what they name.

use std::sync::Arc;

use berth_oci::{MediaType, Platform};
use berth_registry::repository::{Error, RequiredContent, RequiredImages, Rules};
use serde_json::json;

use crate::fixture::*;
use crate::for_every_store;

for_every_store!(
    an_index_may_be_sparse_where_that_is_configured,
    an_image_may_be_sparse_where_that_is_configured,
    the_images_for_the_configured_platforms_must_be_there,
    an_index_of_indexes_is_complete_when_they_are_there,
);

fn platform(architecture: &str) -> Platform {
    serde_json::from_value(json!({ "os": "linux", "architecture": architecture })).unwrap()
}

fn requiring(images: RequiredImages) -> Rules {
    let required_content = RequiredContent { images, ..RequiredContent::default() };
    Rules { required_content, ..Rules::default() }
}

async fn an_index_may_be_sparse_where_that_is_configured(fixture: Fixture) {
    let rules = requiring(RequiredImages::For(Arc::default()));
    let repository = fixture.with_rules(rules).repository(name("app"));
    let here = push_image(&repository, "here", "{}", &[]).await;
    let sparse = index(&[&here, &image("{}", &["absent"])]);
    push_manifest(&repository, "all", &sparse).await.unwrap();
    let error = push_manifest(&repository, "v1", &image("{}", &["absent"])).await.unwrap_err();
    assert!(matches!(error, Error::ManifestBlobUnknown(_)), "{error:?}");
}

async fn an_image_may_be_sparse_where_that_is_configured(fixture: Fixture) {
    let required_content = RequiredContent { may_lack_layers: true, ..RequiredContent::default() };
    let repository =
        fixture.with_rules(Rules { required_content, ..Rules::default() }).repository(name("app"));
    let sparse = image("{}", &["absent"]);
    let error = push_manifest(&repository, "v1", &sparse).await.unwrap_err();
    assert!(matches!(error, Error::ManifestBlobUnknown(_)), "its configuration is not there: {error:?}");
    push_blob(&repository, "{}").await;
    push_manifest(&repository, "v1", &sparse).await.unwrap();
    let error = push_manifest(&repository, "all", &index(&[&image("{}", &["other"])])).await.unwrap_err();
    assert!(matches!(error, Error::ManifestBlobUnknown(_)), "nor is this image: {error:?}");
}

async fn the_images_for_the_configured_platforms_must_be_there(fixture: Fixture) {
    let rules = requiring(RequiredImages::For([platform("amd64")].into()));
    let repository = fixture.with_rules(rules).repository(name("app"));
    let mut list = index(&[&image("{}", &["absent"])]);
    for (architecture, is_required) in [("arm64", false), ("amd64", true)] {
        list["manifests"][0]["platform"] = json!({ "os": "linux", "architecture": architecture });
        let pushed = push_manifest(&repository, "all", &list).await;
        assert_eq!(pushed.is_err(), is_required, "{architecture}: {pushed:?}");
    }
}

async fn an_index_of_indexes_is_complete_when_they_are_there(fixture: Fixture) {
    let repository = fixture.repository("app");
    let inner = index(&[&push_image(&repository, "image", "{}", &[]).await]);
    let outer = json!({
        "schemaVersion": 2,
        "mediaType": MediaType::OCI_INDEX,
        "manifests": [descriptor(MediaType::OCI_INDEX, &inner.to_string())],
    });
    assert!(push_manifest(&repository, "outer", &outer).await.is_err());
    push_untagged(&repository, &inner).await;
    push_manifest(&repository, "outer", &outer).await.unwrap();
}
