//! What was deleted and can be brought back.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use berth_registry::repository::{Error, Options, Registry, Repository, Restored, Rules, RunState};
use berth_storage::Clock;

use crate::fixture::*;
use crate::for_every_store;

for_every_store!(
    a_deleted_tag_is_gone_until_it_is_brought_back,
    a_manifest_comes_back_with_its_tags_and_its_place_among_the_referrers,
    the_content_of_the_trash_is_no_garbage_until_its_time_is_over,
    an_image_that_only_the_trash_knows_is_no_untagged_one,
    a_tag_that_was_pushed_meanwhile_stays_unless_it_is_forced,
    a_repository_comes_back_whole,
    an_index_brings_its_images_back,
    of_a_tag_that_was_deleted_twice_the_latest_comes_back,
    an_emptied_trash_brings_nothing_back,
    without_a_window_nothing_is_kept,
);

const WINDOW: Duration = Duration::from_hours(24);

fn rules() -> Rules {
    Rules { delete_enabled: true, trash_window: WINDOW, ..Rules::default() }
}

/// A process over the same store, at a later time.
fn later(fixture: &Fixture, by: Duration) -> Registry {
    let clock = Clock::new(move || SystemTime::now() + by);
    Registry::with_clock(Arc::clone(&fixture.store), rules(), clock)
}

fn app(fixture: &Fixture) -> Repository {
    fixture.with_rules(rules()).repository(name("app"))
}

async fn delete(repository: &Repository, of: &str) {
    repository.manifests().delete(&reference(of)).await.unwrap();
}

async fn restore(repository: &Repository, of: &str) -> Restored {
    repository.trash().restore(Some(&reference(of)), false).await.unwrap().remove(0)
}

/// Collects what may go after that time, untagged manifests too.
async fn collect_after(fixture: &Fixture, time: Duration) {
    let at_once = Options { quarantine: Duration::ZERO, finish: true, ..Options::default() };
    let options = Options { delete_untagged: true, ..at_once };
    let run = later(fixture, time).garbage_collection().run_to_end(options).await.unwrap();
    assert_eq!(run.state, RunState::Succeeded, "{run:?}");
}

async fn is_in_trash(repository: &Repository, tag: &str) -> bool {
    let trash = repository.trash().list().await.unwrap();
    trash.iter().any(|trashed| trashed.tag.as_ref().is_some_and(|found| found.as_str() == tag))
}

async fn a_deleted_tag_is_gone_until_it_is_brought_back(fixture: Fixture) {
    let repository = app(&fixture).on_behalf_of("alice");
    let image = push_image(&repository, "v1", "{}", &["layer"]).await;
    delete(&repository, "v1").await;
    assert!(!has_manifest(&repository, "v1").await);
    let names = fixture.keys().await;
    assert!(!names.iter().any(|key| key.contains("_manifests/tags")), "nobody else sees the tag: {names:?}");
    let trash = repository.trash().list().await.unwrap();
    assert_eq!(
        (trash.len(), trash[0].digest, trash[0].deleted_by.as_deref()),
        (1, digest_of(&image), Some("alice"))
    );
    assert_eq!(trash[0].until.duration_since(trash[0].deleted_at).as_hours(), 24);

    let restored = restore(&repository, "v1").await;
    assert_eq!((restored.digest, restored.tags), (digest_of(&image), vec!["v1".parse().unwrap()]));
    assert!(has_manifest(&repository, "v1").await);
    assert!(repository.trash().list().await.unwrap().is_empty());
    let again = repository.trash().restore(Some(&reference("v1")), false).await;
    assert!(matches!(again, Err(Error::ManifestUnknown(_))), "{again:?}");
}

async fn a_manifest_comes_back_with_its_tags_and_its_place_among_the_referrers(fixture: Fixture) {
    let repository = app(&fixture);
    let subject = push_image(&repository, "v1", "{}", &["layer"]).await;
    let signature = about(&subject, image("{}", &[]));
    push_manifest(&repository, "signature", &signature).await.unwrap();
    push_manifest(&repository, "signed", &signature).await.unwrap();
    let digest = digest_of(&signature);
    delete(&repository, &digest.to_string()).await;
    assert!(!has_manifest(&repository, &digest.to_string()).await);
    assert!(referrers_of(&repository, &digest_of(&subject)).await.is_empty());

    let restored = restore(&repository, &digest.to_string()).await;
    assert_eq!(restored.tags.len(), 2);
    assert!(has_manifest(&repository, "signature").await && has_manifest(&repository, "signed").await);
    assert_eq!(referrers_of(&repository, &digest_of(&subject)).await.len(), 1);
    assert!(repository.trash().list().await.unwrap().is_empty());
}

async fn the_content_of_the_trash_is_no_garbage_until_its_time_is_over(fixture: Fixture) {
    let repository = app(&fixture);
    let image = push_image(&repository, "v1", "{}", &["layer"]).await;
    // Everything is pushed two days before it is deleted, as far as the collector can tell.
    let then = later(&fixture, Duration::from_hours(48)).repository(name("app"));
    delete(&then, &digest_of(&image).to_string()).await;
    collect_after(&fixture, Duration::from_hours(71)).await;
    assert!(has_blob(&repository, &sha256("layer")).await);
    assert_eq!(restore(&then, "v1").await.digest, digest_of(&image));

    delete(&then, &digest_of(&image).to_string()).await;
    let too_late = later(&fixture, Duration::from_hours(73)).repository(name("app"));
    let refused = too_late.trash().restore(Some(&reference("v1")), false).await;
    assert!(matches!(refused, Err(Error::ManifestUnknown(_))), "{refused:?}");
    collect_after(&fixture, Duration::from_hours(73)).await;
    assert_eq!(fixture.keys().await, [""; 0]);
}

async fn an_image_that_only_the_trash_knows_is_no_untagged_one(fixture: Fixture) {
    let repository = app(&fixture);
    let image = push_image(&repository, "v1", "{}", &["layer"]).await;
    let then = later(&fixture, Duration::from_hours(48)).repository(name("app"));
    delete(&then, "v1").await;
    collect_after(&fixture, Duration::from_hours(49)).await;
    assert!(has_manifest(&repository, &digest_of(&image).to_string()).await);
    assert_eq!(restore(&then, "v1").await.digest, digest_of(&image));
}

async fn a_tag_that_was_pushed_meanwhile_stays_unless_it_is_forced(fixture: Fixture) {
    let repository = app(&fixture);
    let old = push_image(&repository, "v1", "{}", &["old"]).await;
    delete(&repository, &digest_of(&old).to_string()).await;
    let new = push_image(&repository, "v1", "{}", &["new"]).await;
    let at = async |digest| repository.manifests().get(&reference("v1")).await.unwrap().digest == digest;

    let refused = repository.trash().restore(Some(&reference("v1")), false).await;
    assert!(matches!(refused, Err(Error::PreconditionFailed { .. })), "{refused:?}");
    let whole = restore(&repository, &digest_of(&old).to_string()).await;
    assert_eq!((whole.tags.len(), whole.left), (0, vec!["v1".parse().unwrap()]));
    assert!(at(digest_of(&new)).await && is_in_trash(&repository, "v1").await);

    repository.trash().restore(Some(&reference("v1")), true).await.unwrap();
    assert!(at(digest_of(&old)).await && !is_in_trash(&repository, "v1").await);
}

async fn a_repository_comes_back_whole(fixture: Fixture) {
    let repository = app(&fixture);
    let (one, two) = (image("{}", &["one"]), image("{}", &["two"]));
    for blob in ["{}", "one", "two"] {
        push_blob(&repository, blob).await;
    }
    push_untagged(&repository, &one).await;
    push_untagged(&repository, &two).await;
    let list = index(&[&one, &two]);
    push_manifest(&repository, "v1", &list).await.unwrap();
    push_manifest(&repository, "v2", &two).await.unwrap();
    let then = later(&fixture, Duration::from_hours(48)).repository(name("app"));
    then.delete().await.unwrap();
    let gone = then.delete().await;
    assert!(matches!(gone, Err(Error::NameUnknown(_))), "the trash alone is no repository: {gone:?}");
    assert!(!has_blob(&repository, &sha256("one")).await && !has_manifest(&repository, "v1").await);
    collect_after(&fixture, Duration::from_hours(49)).await;

    let restored = then.trash().restore(None, false).await.unwrap();
    assert_eq!(restored.len(), 3, "{restored:?}");
    for tag in ["v1", "v2", &digest_of(&one).to_string()] {
        assert!(has_manifest(&repository, tag).await, "{tag}");
    }
    assert!(has_blob(&repository, &sha256("one")).await && has_blob(&repository, &sha256("two")).await);
    assert!(then.trash().list().await.unwrap().is_empty());
}

async fn an_index_brings_its_images_back(fixture: Fixture) {
    let repository = app(&fixture);
    let one = push_image(&repository, "one", "{}", &["one"]).await;
    let list = index(&[&one]);
    push_manifest(&repository, "v1", &list).await.unwrap();
    for manifest in [&list, &one] {
        delete(&repository, &digest_of(manifest).to_string()).await;
    }
    restore(&repository, "v1").await;
    assert!(
        has_manifest(&repository, "v1").await
            && has_manifest(&repository, &digest_of(&one).to_string()).await
    );
    assert!(!has_manifest(&repository, "one").await, "nobody asked for that tag");
}

async fn of_a_tag_that_was_deleted_twice_the_latest_comes_back(fixture: Fixture) {
    for (hours, layer) in [(0, "old"), (1, "new")] {
        let repository = later(&fixture, Duration::from_hours(hours)).repository(name("app"));
        push_image(&repository, "v1", "{}", &[layer]).await;
        delete(&repository, "v1").await;
    }
    let restored = restore(&app(&fixture), "v1").await;
    assert_eq!(restored.digest, digest_of(&image("{}", &["new"])));
}

async fn an_emptied_trash_brings_nothing_back(fixture: Fixture) {
    let repository = app(&fixture);
    push_image(&repository, "v1", "{}", &["layer"]).await;
    delete(&repository, "v1").await;
    repository.trash().empty().await.unwrap();
    assert!(repository.trash().restore(None, false).await.unwrap().is_empty());
    let refused = fixture.with_rules(Rules::default()).repository(name("app")).trash().empty().await;
    assert!(matches!(refused, Err(Error::DeleteDisabled)), "{refused:?}");
}

async fn without_a_window_nothing_is_kept(fixture: Fixture) {
    let rules = Rules { trash_window: Duration::ZERO, ..rules() };
    let repository = fixture.with_rules(rules).repository(name("app"));
    push_image(&repository, "v1", "{}", &[]).await;
    delete(&repository, "v1").await;
    repository.delete().await.unwrap();
    assert!(!fixture.keys().await.iter().any(|key| key.contains("repositories/app")));
}
