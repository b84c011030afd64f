//! Garbage collection: what goes, and what must not.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use berth_oci::MediaType;
use berth_registry::repository::{Options, Registry, Repository, Rules, Run, RunState};
use berth_storage::{Clock, Memory, ObjectStore, PutCondition};
use serde_json::json;

use crate::fixture::*;
use crate::for_every_store;

for_every_store!(
    a_blob_that_no_manifest_needs_is_deleted_with_its_links,
    everything_that_an_image_needs_is_kept,
    young_content_is_spared,
    a_blob_of_a_deleted_manifest_is_deleted,
    a_blob_that_another_repository_needs_is_kept,
    untagged_manifests_are_kept_unless_told_otherwise,
    untagged_manifests_are_deleted_when_wanted,
    the_images_of_a_tagged_index_are_kept,
    referrers_go_with_their_subject,
    a_dry_run_deletes_nothing_and_counts_everything,
    abandoned_uploads_are_deleted_and_others_are_not,
    an_upload_in_progress_survives_a_collection,
    a_deleted_blob_can_be_pushed_again,
    content_under_sha512_is_collected_and_kept_alike,
    the_target_of_an_alias_is_kept,
    a_manifest_of_an_unknown_kind_keeps_what_it_mentions,
    a_manifest_among_the_blobs_keeps_what_it_needs,
    a_second_run_is_refused_while_one_goes_on,
    a_run_that_was_started_is_told_of_by_another_process_at_once,
    leftovers_without_content_do_no_harm,
);

/// A registry over the same store in which everything that is there now is two days old.
fn two_days_later(fixture: &Fixture) -> Registry {
    let clock = Clock::new(|| SystemTime::now() + Duration::from_hours(48));
    let rules = Rules { delete_enabled: true, ..Rules::default() };
    Registry::with_clock(Arc::clone(&fixture.store), rules, clock)
}

/// Finds garbage and deletes it at once.
async fn collect(registry: &Registry, options: Options) -> Run {
    run(registry, Options { quarantine: Duration::ZERO, finish: true, ..options }).await
}

async fn run(registry: &Registry, options: Options) -> Run {
    let run = registry.garbage_collection().run_to_end(options).await.unwrap();
    assert_eq!(run.state, RunState::Succeeded, "{run:?}");
    run
}

/// Collects everything that may go, as if two days had passed.
pub(crate) async fn collect_all(fixture: &Fixture) -> Run {
    collect(&two_days_later(fixture), Options { delete_untagged: true, ..Options::default() }).await
}

async fn assert_complete(repository: &Repository, image: &serde_json::Value) {
    assert!(has_manifest(repository, &digest_of(image).to_string()).await, "{image}");
    for blob in std::iter::once(&image["config"]).chain(image["layers"].as_array().unwrap()) {
        let digest = blob["digest"].as_str().unwrap().parse().unwrap();
        assert!(has_blob(repository, &digest).await, "{digest}");
    }
}

async fn a_blob_that_no_manifest_needs_is_deleted_with_its_links(fixture: Fixture) {
    push_blob(&fixture.repository("app"), "orphan").await;
    push_blob(&fixture.repository("other"), "orphan").await;
    let run = collect(&two_days_later(&fixture), Options::default()).await;
    assert_eq!((run.blobs_deleted, run.bytes_freed, run.manifests_deleted), (1, 6, 0));
    assert!(fixture.keys().await.is_empty());
}

async fn everything_that_an_image_needs_is_kept(fixture: Fixture) {
    let repository = fixture.repository("a/b");
    let image = push_image(&repository, "v1", "{}", &["one", "two"]).await;
    let keys = fixture.keys().await;
    let run = collect_all(&fixture).await;
    assert_eq!((run.blobs_deleted, run.manifests_deleted), (0, 0));
    assert_eq!(fixture.keys().await, keys);
    assert_complete(&repository, &image).await;
}

async fn young_content_is_spared(fixture: Fixture) {
    let repository = fixture.repository("app");
    let orphan = push_blob(&repository, "orphan").await;
    push_blob(&repository, "{}").await;
    push_untagged(&repository, &image("{}", &[])).await;
    let before = fixture.keys().await;
    collect(&fixture.registry, Options { delete_untagged: true, ..Options::default() }).await;
    assert_eq!(fixture.keys().await, before);
    assert!(has_blob(&repository, &orphan).await);
}

async fn a_blob_of_a_deleted_manifest_is_deleted(fixture: Fixture) {
    let repository = fixture.repository("app");
    let gone = push_image(&repository, "old", "{}", &["shared", "old"]).await;
    let kept = push_image(&repository, "new", "{}", &["shared", "new"]).await;
    repository.manifests().delete(&reference(&digest_of(&gone).to_string())).await.unwrap();
    let run = collect(&two_days_later(&fixture), Options::default()).await;
    assert_eq!(run.blobs_deleted, 2, "the manifest and its own layer");
    assert!(!has_blob(&repository, &sha256("old")).await);
    assert_complete(&repository, &kept).await;
}

async fn a_blob_that_another_repository_needs_is_kept(fixture: Fixture) {
    let (one, other) = (fixture.repository("one"), fixture.repository("other"));
    push_blob(&one, "layer").await;
    let image = push_image(&other, "v1", "{}", &["layer"]).await;
    collect_all(&fixture).await;
    assert_complete(&other, &image).await;
}

async fn untagged_manifests_are_kept_unless_told_otherwise(fixture: Fixture) {
    let repository = fixture.repository("app");
    let image = push_image(&repository, "v1", "{}", &["layer"]).await;
    repository.manifests().delete(&reference("v1")).await.unwrap();
    collect(&two_days_later(&fixture), Options::default()).await;
    assert_complete(&repository, &image).await;
}

async fn untagged_manifests_are_deleted_when_wanted(fixture: Fixture) {
    let repository = fixture.repository("app");
    let first = push_image(&repository, "latest", "{}", &["one"]).await;
    let second = push_image(&repository, "latest", "{}", &["two"]).await;
    let run = collect_all(&fixture).await;
    assert_eq!((run.manifests_deleted, run.blobs_deleted), (1, 2));
    assert!(!has_manifest(&repository, &digest_of(&first).to_string()).await);
    assert!(!fixture.keys().await.iter().any(|key| key.contains(&digest_of(&first).hex())));
    assert_complete(&repository, &second).await;
    assert!(has_manifest(&repository, "latest").await);
}

async fn the_images_of_a_tagged_index_are_kept(fixture: Fixture) {
    let repository = fixture.repository("app");
    let (amd64, arm64) = (image("{}", &["amd64"]), image("{}", &["arm64"]));
    for content in ["{}", "amd64", "arm64"] {
        push_blob(&repository, content).await;
    }
    push_untagged(&repository, &amd64).await;
    push_untagged(&repository, &arm64).await;
    let inner = index(&[&arm64]);
    push_untagged(&repository, &inner).await;
    push_manifest(&repository, "v1", &index(&[&amd64, &inner])).await.unwrap();
    let keys = fixture.keys().await;
    collect_all(&fixture).await;
    assert_eq!(fixture.keys().await, keys);
}

async fn referrers_go_with_their_subject(fixture: Fixture) {
    let repository = fixture.repository("app");
    let kept = push_image(&repository, "v1", "{}", &["kept"]).await;
    let gone = push_image(&repository, "v2", "{}", &["gone"]).await;
    let signature = |subject| about(subject, image("{}", &[]));
    let of_kept = push_untagged(&repository, &signature(&kept)).await;
    let of_gone = push_untagged(&repository, &signature(&gone)).await;
    repository.manifests().delete(&reference("v2")).await.unwrap();
    let run = collect_all(&fixture).await;
    assert_eq!(run.manifests_deleted, 2);
    assert!(has_manifest(&repository, &of_kept.to_string()).await);
    assert!(!has_manifest(&repository, &of_gone.to_string()).await);
    assert_eq!(referrers_of(&repository, &digest_of(&kept)).await.len(), 1);
    assert!(!fixture.keys().await.iter().any(|key| key.contains(&of_gone.hex())));
}

async fn a_dry_run_deletes_nothing_and_counts_everything(fixture: Fixture) {
    let repository = fixture.repository("app");
    push_image(&repository, "latest", "{}", &["one"]).await;
    push_image(&repository, "latest", "{}", &["two"]).await;
    push_blob(&repository, "orphan").await;
    repository.uploads().start().await.unwrap();
    let keys = fixture.keys().await;
    let options = Options { delete_untagged: true, dry_run: true, ..Options::default() };
    let told = collect(&two_days_later(&fixture), options).await;
    assert!(told.dry_run);
    assert_eq!(fixture.keys().await, keys);
    let done = collect_all(&fixture).await;
    assert_eq!(
        (told.manifests_deleted, told.blobs_deleted, told.bytes_freed, told.uploads_deleted),
        (done.manifests_deleted, done.blobs_deleted, done.bytes_freed, done.uploads_deleted)
    );
    assert_eq!((done.manifests_deleted, done.blobs_deleted, done.uploads_deleted), (1, 3, 1));
}

async fn abandoned_uploads_are_deleted_and_others_are_not(fixture: Fixture) {
    let repository = fixture.repository("app");
    let id = repository.uploads().start().await.unwrap();
    repository.uploads().append(&id, None, body(["con"])).await.unwrap();
    let later = two_days_later(&fixture);
    let options = Options { minimum_upload_age: Duration::from_hours(72), ..Options::default() };
    assert_eq!(collect(&later, options).await.uploads_deleted, 0);
    assert_eq!(repository.uploads().status(&id).await.unwrap(), 3);
    assert_eq!(collect(&later, Options::default()).await.uploads_deleted, 1);
    assert!(fixture.keys().await.is_empty());
}

async fn an_upload_in_progress_survives_a_collection(fixture: Fixture) {
    let repository = fixture.repository("app");
    let id = repository.uploads().start().await.unwrap();
    repository.uploads().append(&id, None, body(["con"])).await.unwrap();
    let options = Options { minimum_age: Duration::ZERO, ..Options::default() };
    collect(&fixture.registry, options).await;
    repository.uploads().finish(&id, None, body(["tent"]), &sha256("content")).await.unwrap();
}

async fn a_deleted_blob_can_be_pushed_again(fixture: Fixture) {
    let repository = fixture.repository("app");
    let digest = push_blob(&repository, "orphan").await;
    collect_all(&fixture).await;
    assert!(!has_blob(&repository, &digest).await);
    push_blob(&repository, "orphan").await;
    assert!(has_blob(&repository, &digest).await);
}

async fn content_under_sha512_is_collected_and_kept_alike(fixture: Fixture) {
    let repository = fixture.repository("app");
    let (kept, orphan) = (sha512("kept"), sha512("orphan"));
    for (digest, content) in [(kept, "kept"), (orphan, "orphan")] {
        repository.uploads().push_whole(&digest, body([content])).await.unwrap();
    }
    push_blob(&repository, "{}").await;
    let mut image = image("{}", &["kept"]);
    image["layers"][0]["digest"] = json!(kept);
    push_manifest(&repository, "v1", &image).await.unwrap();
    collect_all(&fixture).await;
    assert!(has_blob(&repository, &kept).await);
}

async fn the_target_of_an_alias_is_kept(fixture: Fixture) {
    let repository = fixture.repository("app");
    let canonical = push_blob(&repository, "content").await;
    let alias = sha512("content");
    let link = format!("docker/registry/v2/repositories/app/_layers/sha512/{}/link", alias.hex());
    fixture
        .store
        .put(&link.parse().unwrap(), canonical.to_string().into(), PutCondition::Always)
        .await
        .unwrap();
    collect_all(&fixture).await;
    assert!(has_blob(&repository, &alias).await);
}

async fn a_manifest_of_an_unknown_kind_keeps_what_it_mentions(fixture: Fixture) {
    let repository = fixture.repository("app");
    let part = push_blob(&repository, "part").await;
    let manifest = json!({"mediaType": "application/vnd.example.thing+json", "parts": [part]});
    push_manifest(&repository, "v1", &manifest).await.unwrap();
    collect_all(&fixture).await;
    assert!(has_blob(&repository, &part).await);
}

async fn a_manifest_among_the_blobs_keeps_what_it_needs(fixture: Fixture) {
    let repository = fixture.repository("app");
    let child = image("{}", &["layer"]);
    for content in ["{}", "layer", &child.to_string()] {
        push_blob(&repository, content).await;
    }
    let parent = index(&[&child]);
    assert_eq!(parent["mediaType"], MediaType::OCI_INDEX);
    push_manifest(&repository, "v1", &parent).await.unwrap();
    collect_all(&fixture).await;
    assert_complete(&repository, &child).await;
}

async fn a_second_run_is_refused_while_one_goes_on(fixture: Fixture) {
    let collection = fixture.registry.garbage_collection();
    assert_eq!(collection.current().await.unwrap().state, RunState::Idle);
    assert_eq!(collection.start(Options::default()).await.unwrap().state, RunState::Running);
    while collection.start(Options::default()).await.is_err() {
        tokio::task::yield_now().await;
    }
    while collection.current().await.unwrap().state == RunState::Running {
        tokio::task::yield_now().await;
    }
    let run = collection.current().await.unwrap();
    assert_eq!(run.state, RunState::Succeeded);
    assert!(run.started_at.is_some() && run.finished_at.is_some() && run.error.is_none());
}

async fn a_run_that_was_started_is_told_of_by_another_process_at_once(fixture: Fixture) {
    let other = Registry::new(Arc::clone(&fixture.store), Rules::default());
    for _ in 0..3 {
        let started = loop {
            match fixture.registry.garbage_collection().start(Options::default()).await {
                Ok(started) => break started,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        assert_eq!(other.garbage_collection().current().await.unwrap().replica, started.replica);
    }
}

async fn leftovers_without_content_do_no_harm(fixture: Fixture) {
    let repository = fixture.repository("app");
    let image = push_image(&repository, "v1", "{}", &["layer"]).await;
    let lost = push_image(&repository, "v2", "{}", &["other"]).await;
    let hex = digest_of(&lost).hex();
    let data = format!("docker/registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2]);
    fixture.store.delete(&data.parse().unwrap()).await.unwrap();
    collect_all(&fixture).await;
    assert_complete(&repository, &image).await;
}

/// A registry whose store and rules follow a clock that the test sets.
fn with_hands() -> (Arc<dyn ObjectStore>, Registry, Arc<std::sync::Mutex<SystemTime>>) {
    let time = Arc::new(std::sync::Mutex::new(SystemTime::now()));
    let shown = Arc::clone(&time);
    let clock = Clock::new(move || *shown.lock().unwrap());
    let store: Arc<dyn ObjectStore> = Arc::new(Memory::with_clock(clock.clone()));
    (Arc::clone(&store), Registry::with_clock(store, Rules::default(), clock), time)
}

#[tokio::test]
async fn a_manifest_that_is_pushed_saves_the_blobs_that_it_needs() {
    let (_store, registry, time) = with_hands();
    let repository = registry.repository(name("app"));
    let image = push_image(&repository, "v1", "{}", &["layer"]).await;
    *time.lock().unwrap() += Duration::from_hours(48);
    push_manifest(&repository, "v2", &image).await.unwrap();
    let options = Options { delete_untagged: true, ..Options::default() };
    assert_eq!(collect(&registry, options).await.blobs_deleted, 0);
    assert_complete(&repository, &image).await;
}
