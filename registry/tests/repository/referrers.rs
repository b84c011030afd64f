//! Referrers, from our index and from the fallback tag.

use serde_json::{Value, json};

use crate::fixture::*;
use crate::for_every_store;

for_every_store!(
    a_referrer_is_described_by_its_manifest,
    referrers_are_chosen_by_artifact_type,
    referrers_may_come_before_their_subject,
    a_deleted_referrer_is_no_longer_listed,
    an_index_can_be_a_referrer,
    what_a_fallback_tag_lists_is_merged_in,
    nothing_refers_to_what_is_unknown,
);

/// A signature of `subject`, told apart by `note`.
fn signature(subject: &Value, artifact_type: &str, note: &str) -> Value {
    let mut signature = about(subject, image("{}", &[]));
    signature["artifactType"] = json!(artifact_type);
    signature["annotations"] = json!({"note": note});
    signature
}

async fn a_referrer_is_described_by_its_manifest(fixture: Fixture) {
    let repository = fixture.repository("app");
    let subject = push_image(&repository, "v1", "{}", &["layer"]).await;
    let signature = signature(&subject, "application/vnd.example.signature", "first");
    let digest = push_untagged(&repository, &signature).await;
    let listed = repository.referrers().list(&digest_of(&subject), None).await.unwrap();
    assert_eq!(
        serde_json::to_value(&listed).unwrap(),
        json!([{
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": digest,
            "size": signature.to_string().len(),
            "artifactType": "application/vnd.example.signature",
            "annotations": {"note": "first"},
        }])
    );
}

async fn referrers_are_chosen_by_artifact_type(fixture: Fixture) {
    let repository = fixture.repository("app");
    let subject = push_image(&repository, "v1", "{}", &["layer"]).await;
    push_untagged(&repository, &signature(&subject, "application/vnd.example.signature", "")).await;
    let sbom = push_untagged(&repository, &signature(&subject, "application/vnd.example.sbom", "")).await;
    // Without an artifact type of its own, the type of the config counts.
    let plain = push_untagged(&repository, &about(&subject, image("{}", &[]))).await;
    let list = async |artifact_type: Option<&str>| {
        let listed = repository.referrers().list(&digest_of(&subject), artifact_type).await.unwrap();
        listed.into_iter().map(|descriptor| descriptor.digest).collect::<Vec<_>>()
    };
    assert_eq!(list(None).await.len(), 3);
    assert_eq!(list(Some("application/vnd.example.sbom")).await, [sbom]);
    assert_eq!(list(Some("application/vnd.oci.image.config.v1+json")).await, [plain]);
    assert!(list(Some("application/vnd.example.other")).await.is_empty());
}

async fn referrers_may_come_before_their_subject(fixture: Fixture) {
    let repository = fixture.repository("app");
    let subject = image("{}", &["layer"]);
    push_blob(&repository, "{}").await;
    push_untagged(&repository, &signature(&subject, "application/vnd.example", "")).await;
    assert_eq!(repository.referrers().list(&digest_of(&subject), None).await.unwrap().len(), 1);
}

async fn a_deleted_referrer_is_no_longer_listed(fixture: Fixture) {
    let repository = fixture.repository("app");
    let subject = push_image(&repository, "v1", "{}", &["layer"]).await;
    let digest = push_untagged(&repository, &signature(&subject, "application/vnd.example", "")).await;
    repository.manifests().delete(&reference(&digest.to_string())).await.unwrap();
    assert!(repository.referrers().list(&digest_of(&subject), None).await.unwrap().is_empty());
    assert!(!fixture.keys().await.iter().any(|key| key.contains("_referrers")));
}

async fn an_index_can_be_a_referrer(fixture: Fixture) {
    let repository = fixture.repository("app");
    let subject = push_image(&repository, "v1", "{}", &["layer"]).await;
    let attestations = about(&subject, index(&[&subject]));
    let digest = push_untagged(&repository, &attestations).await;
    let listed = repository.referrers().list(&digest_of(&subject), None).await.unwrap();
    assert_eq!((listed[0].digest, listed[0].artifact_type.as_deref()), (digest, None));
}

async fn what_a_fallback_tag_lists_is_merged_in(fixture: Fixture) {
    let repository = fixture.repository("app");
    let subject = push_image(&repository, "v1", "{}", &["layer"]).await;
    let indexed = signature(&subject, "application/vnd.example", "indexed");
    push_untagged(&repository, &indexed).await;
    let mut listed_only = indexed.clone();
    listed_only.as_object_mut().unwrap().remove("subject");
    push_untagged(&repository, &listed_only).await;
    let tag = format!("sha256-{}", digest_of(&subject).hex());
    push_manifest(&repository, &tag, &index(&[&indexed, &listed_only])).await.unwrap();
    let mut expected = vec![digest_of(&indexed), digest_of(&listed_only)];
    expected.sort();
    let listed = repository.referrers().list(&digest_of(&subject), None).await.unwrap();
    assert_eq!(listed.iter().map(|descriptor| descriptor.digest).collect::<Vec<_>>(), expected);
}

async fn nothing_refers_to_what_is_unknown(fixture: Fixture) {
    let repository = fixture.repository("app");
    assert!(repository.referrers().list(&sha256("unknown"), None).await.unwrap().is_empty());
}
