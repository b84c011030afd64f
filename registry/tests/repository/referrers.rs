//! Referrers, from our index and from the fallback tag.

use berth_oci::Digest;
use berth_registry::repository::{Page, Rebuilt, Repository, Rules};
use futures::TryStreamExt as _;
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
    referrers_come_in_pages_of_the_wanted_length,
    a_page_is_no_larger_than_a_manifest_may_be,
    a_lost_index_is_rebuilt_from_the_manifests,
    a_rebuild_takes_out_what_is_not_so,
    a_rebuild_changes_nothing_in_a_sound_index,
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
    let listed = referrers_of(&repository, &digest_of(&subject)).await;
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
        let listed =
            repository.referrers().list(&digest_of(&subject), artifact_type, &Page::default()).await.unwrap();
        listed.items.into_iter().map(|descriptor| descriptor.digest).collect::<Vec<_>>()
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
    assert_eq!(referrers_of(&repository, &digest_of(&subject)).await.len(), 1);
}

async fn a_deleted_referrer_is_no_longer_listed(fixture: Fixture) {
    let repository = fixture.repository("app");
    let subject = push_image(&repository, "v1", "{}", &["layer"]).await;
    let digest = push_untagged(&repository, &signature(&subject, "application/vnd.example", "")).await;
    repository.manifests().delete(&reference(&digest.to_string())).await.unwrap();
    assert!(referrers_of(&repository, &digest_of(&subject)).await.is_empty());
    assert!(!fixture.keys().await.iter().any(|key| key.contains("_referrers")));
}

async fn an_index_can_be_a_referrer(fixture: Fixture) {
    let repository = fixture.repository("app");
    let subject = push_image(&repository, "v1", "{}", &["layer"]).await;
    let attestations = about(&subject, index(&[&subject]));
    let digest = push_untagged(&repository, &attestations).await;
    let listed = referrers_of(&repository, &digest_of(&subject)).await;
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
    let listed = referrers_of(&repository, &digest_of(&subject)).await;
    assert_eq!(listed.iter().map(|descriptor| descriptor.digest).collect::<Vec<_>>(), expected);
}

async fn nothing_refers_to_what_is_unknown(fixture: Fixture) {
    let repository = fixture.repository("app");
    assert!(referrers_of(&repository, &sha256("unknown")).await.is_empty());
}

/// Pushes an image with `count` signatures, and returns its digest and theirs in order.
async fn signed(repository: &Repository, count: usize) -> (Digest, Vec<Digest>) {
    let subject = push_image(repository, "v1", "{}", &["layer"]).await;
    let mut signatures = Vec::new();
    for number in 0..count {
        let signature = signature(&subject, "application/vnd.example", &number.to_string());
        signatures.push(push_untagged(repository, &signature).await);
    }
    signatures.sort();
    (digest_of(&subject), signatures)
}

async fn page_of(repository: &Repository, subject: &Digest, page: &Page) -> (Vec<Digest>, Option<String>) {
    let listed = repository.referrers().list(subject, None, page).await.unwrap();
    (listed.items.iter().map(|descriptor| descriptor.digest).collect(), listed.next)
}

async fn referrers_come_in_pages_of_the_wanted_length(fixture: Fixture) {
    let repository = fixture.repository("app");
    let (subject, signatures) = signed(&repository, 3).await;
    let first = page_of(&repository, &subject, &Page { limit: Some(2), last: None }).await;
    assert_eq!(first, (signatures[..2].to_vec(), Some(signatures[1].to_string())));
    let second = page_of(&repository, &subject, &Page { limit: Some(2), last: first.1 }).await;
    assert_eq!(second, (signatures[2..].to_vec(), None));
    let none = page_of(&repository, &subject, &Page { limit: Some(0), last: None }).await;
    assert_eq!(none, (Vec::new(), None));
}

async fn a_page_is_no_larger_than_a_manifest_may_be(fixture: Fixture) {
    let max_manifest_size = 2000;
    let registry = fixture.with_rules(Rules { max_manifest_size, ..Rules::default() });
    let repository = registry.repository(name("app"));
    let (subject, signatures) = signed(&repository, 20).await;
    let (mut page, mut seen) = (Page::default(), Vec::new());
    loop {
        let listed = repository.referrers().list(&subject, None, &page).await.unwrap();
        let length = serde_json::to_vec(&listed.items).unwrap().len() as u64;
        assert!(length < max_manifest_size, "{length}");
        seen.extend(listed.items.iter().map(|descriptor| descriptor.digest));
        page.last = listed.next;
        if page.last.is_none() {
            break;
        }
    }
    assert_eq!(seen, signatures);
}

/// Deletes the index, as if a server without one had taken everything in.
async fn lose_index(fixture: &Fixture) {
    for key in fixture.keys().await.iter().filter(|key| key.contains("_referrers")) {
        fixture.store.delete(&key.parse().unwrap()).await.unwrap();
    }
}

async fn a_lost_index_is_rebuilt_from_the_manifests(fixture: Fixture) {
    let (app, nested) = (fixture.repository("app"), fixture.repository("app/nested"));
    let (subject, signatures) = signed(&app, 3).await;
    signed(&nested, 2).await;
    let keys = fixture.keys().await;
    lose_index(&fixture).await;
    assert!(referrers_of(&app, &subject).await.is_empty());
    let rebuilt = fixture.registry.rebuild_referrers().await.unwrap();
    assert_eq!(rebuilt, Rebuilt { added: 5, removed: 0 });
    assert_eq!(page_of(&app, &subject, &Page::default()).await.0, signatures);
    assert_eq!(fixture.keys().await, keys);
}

async fn a_rebuild_takes_out_what_is_not_so(fixture: Fixture) {
    let repository = fixture.repository("app");
    let (subject, signatures) = signed(&repository, 2).await;
    let keys = fixture.keys().await;
    let sound =
        keys.iter().find(|key| key.contains("_referrers") && key.contains(&signatures[0].hex())).unwrap();
    for (from, to) in [(signatures[0].hex(), "0".repeat(64)), (subject.hex(), signatures[1].hex())] {
        let wrong = sound.replace(&from, &to).parse().unwrap();
        let link = signatures[0].to_string().into();
        fixture.store.put(&wrong, link, berth_storage::PutCondition::Always).await.unwrap();
    }
    assert_eq!(repository.referrers().rebuild().await.unwrap(), Rebuilt { added: 0, removed: 2 });
    assert_eq!(fixture.keys().await, keys);
}

async fn a_rebuild_changes_nothing_in_a_sound_index(fixture: Fixture) {
    let repository = fixture.repository("app");
    let (subject, signatures) = signed(&repository, 2).await;
    assert!(repository.referrers().differences().try_next().await.unwrap().is_none());
    assert_eq!(repository.referrers().rebuild().await.unwrap(), Rebuilt::default());
    assert_eq!(page_of(&repository, &subject, &Page::default()).await.0, signatures);
}
