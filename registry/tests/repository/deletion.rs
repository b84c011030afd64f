//! Deleting whole repositories.

use berth_oci::Manifest;
use berth_registry::repository::{Error, Page, Repository, Rules};

use crate::fixture::*;
use crate::for_every_store;
use crate::garbage_collection::collect_all;

for_every_store!(
    nothing_of_a_deleted_repository_is_left,
    repositories_nested_in_a_deleted_one_stay,
    content_stays_for_the_others_who_have_it,
    a_repository_that_does_not_exist_cannot_be_deleted,
    a_repository_with_nothing_but_uploads_can_be_deleted,
    nothing_is_deleted_where_that_is_not_allowed,
    what_is_pushed_during_a_deletion_is_whole_or_refused,
);

async fn keys_of(fixture: &Fixture, repository: &str) -> Vec<String> {
    let folder = format!("docker/registry/v2/repositories/{repository}/_");
    fixture.keys().await.into_iter().filter(|key| key.starts_with(&folder)).collect()
}

async fn nothing_of_a_deleted_repository_is_left(fixture: Fixture) {
    let repository = fixture.repository("app");
    let subject = push_image(&repository, "v1", "{}", &["layer"]).await;
    push_untagged(&repository, &about(&subject, image("{}", &[]))).await;
    let upload = repository.uploads().start().await.unwrap();
    repository.uploads().append(&upload, None, body(["begun"])).await.unwrap();
    repository.delete().await.unwrap();
    assert_eq!(keys_of(&fixture, "app").await, [""; 0]);
    let listed = fixture.registry.catalog(&Page::default(), |_| true).await.unwrap();
    assert!(listed.items.is_empty());
    assert!(matches!(repository.tags().list(&Page::default()).await, Err(Error::NameUnknown(_))));
}

async fn repositories_nested_in_a_deleted_one_stay(fixture: Fixture) {
    push_image(&fixture.repository("a"), "v1", "{}", &["outer"]).await;
    push_image(&fixture.repository("a/b"), "v1", "{}", &["inner"]).await;
    let nested = keys_of(&fixture, "a/b").await;
    fixture.repository("a").delete().await.unwrap();
    assert_eq!(keys_of(&fixture, "a/b").await, nested);
    assert!(has_manifest(&fixture.repository("a/b"), "v1").await);
}

async fn content_stays_for_the_others_who_have_it(fixture: Fixture) {
    let (deleted, kept) = (fixture.repository("deleted"), fixture.repository("kept"));
    push_image(&deleted, "v1", "{}", &["shared", "own"]).await;
    push_image(&kept, "v1", "{}", &["shared"]).await;
    deleted.delete().await.unwrap();
    let run = collect_all(&fixture).await;
    assert_eq!(run.blobs_deleted, 2, "the manifest and its own layer: {run:?}");
    assert!(has_blob(&kept, &sha256("shared")).await);
    assert!(!has_blob(&deleted, &sha256("shared")).await);
}

async fn a_repository_that_does_not_exist_cannot_be_deleted(fixture: Fixture) {
    push_image(&fixture.repository("a/b"), "v1", "{}", &[]).await;
    for absent in ["a", "a/b/c", "other"] {
        let deleted = fixture.repository(absent).delete().await;
        assert!(matches!(deleted, Err(Error::NameUnknown(_))), "{absent}");
    }
    assert!(has_manifest(&fixture.repository("a/b"), "v1").await);
}

async fn a_repository_with_nothing_but_uploads_can_be_deleted(fixture: Fixture) {
    let repository = fixture.repository("app");
    let upload = repository.uploads().start().await.unwrap();
    repository.delete().await.unwrap();
    assert!(matches!(repository.uploads().status(&upload).await, Err(Error::UploadUnknown(_))));
}

async fn nothing_is_deleted_where_that_is_not_allowed(fixture: Fixture) {
    push_image(&fixture.repository("app"), "v1", "{}", &[]).await;
    let of = |rules| fixture.with_rules(rules).repository(name("app"));
    let deleted = of(Rules::default()).delete().await;
    assert!(matches!(deleted, Err(Error::DeleteDisabled)));
    let deleted = of(Rules { delete_enabled: true, read_only: true, ..Rules::default() }).delete().await;
    assert!(matches!(deleted, Err(Error::ReadOnly)));
    assert!(has_manifest(&fixture.repository("app"), "v1").await);
}

/// Pushes an image; `false` when a deletion took its blobs before its manifest came.
async fn push_unless_deleted(repository: &Repository, number: usize) -> bool {
    let (config, layer) = (format!("{{\"n\": {number}}}"), format!("layer {number}"));
    push_blob(repository, &config).await;
    push_blob(repository, &layer).await;
    match push_manifest(repository, &format!("v{number}"), &image(&config, &[&layer])).await {
        Ok(_) => true,
        Err(Error::ManifestBlobUnknown(_)) => false,
        Err(error) => panic!("{error}"),
    }
}

async fn what_is_pushed_during_a_deletion_is_whole_or_refused(fixture: Fixture) {
    let repository = fixture.repository("app");
    let pushing = (0..40).map(|number| {
        let repository = repository.clone();
        tokio::spawn(async move { push_unless_deleted(&repository, number).await })
    });
    let pushing: Vec<_> = pushing.collect();
    while !pushing.iter().all(tokio::task::JoinHandle::is_finished) {
        match repository.delete().await {
            Ok(()) | Err(Error::NameUnknown(_)) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    }
    push_unless_deleted(&repository, 40).await;
    let tags = repository.tags().list(&Page::default()).await.unwrap();
    for tag in tags.items {
        let stored = repository.manifests().get(&tag.into()).await.unwrap();
        for digest in Manifest::parse(&stored.bytes, None).unwrap().references() {
            assert!(has_blob(&repository, &digest).await, "{digest} is lacking");
        }
    }
}
