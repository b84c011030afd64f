//! Copying between repositories.

use berth_oci::Digest;
use berth_registry::repository::{Error, Repository, Rules};
use serde_json::Value;

use crate::fixture::*;
use crate::for_every_store;
use crate::garbage_collection::collect_all;

for_every_store!(
    an_image_is_copied_with_its_blobs,
    an_index_is_copied_with_everything_below_it,
    a_manifest_that_several_indexes_list_is_copied_once_and_in_time,
    a_copy_outlives_its_source,
    a_copy_within_a_repository_is_another_tag,
    what_the_source_lacks_is_refused_and_no_tag_appears,
    nothing_is_copied_in_read_only_mode,
);

async fn copy(from: &Repository, to: &Repository, what: &str) -> berth_registry::repository::Result<Digest> {
    let reference = reference(what);
    Ok(to.copy(from, &reference, &reference).await?.digest)
}

async fn an_image_is_copied_with_its_blobs(fixture: Fixture) {
    let (from, to) = (fixture.repository("from"), fixture.repository("to"));
    let image = push_image(&from, "v1", "{}", &["one", "two"]).await;
    assert_eq!(copy(&from, &to, "v1").await.unwrap(), digest_of(&image));
    assert_eq!(to.manifests().get(&reference("v1")).await.unwrap().bytes, image.to_string());
    for blob in ["{}", "one", "two"] {
        assert!(has_blob(&to, &sha256(blob)).await, "{blob}");
    }
}

/// Pushes an index of an index of two images, of which the first is listed in both, and returns all four.
async fn push_nested(repository: &Repository, tag: &str) -> [Value; 4] {
    let first = push_image(repository, "first", "{}", &["one"]).await;
    let second = push_image(repository, "second", "{}", &["two"]).await;
    let inner = index(&[&first, &second]);
    push_untagged(repository, &inner).await;
    let outer = index(&[&first, &inner]);
    push_manifest(repository, tag, &outer).await.unwrap();
    [first, second, inner, outer]
}

async fn an_index_is_copied_with_everything_below_it(fixture: Fixture) {
    let (from, to) = (fixture.repository("from"), fixture.repository("to"));
    let manifests = push_nested(&from, "all").await;
    assert_eq!(copy(&from, &to, "all").await.unwrap(), digest_of(&manifests[3]));
    for manifest in &manifests {
        assert!(has_manifest(&to, &digest_of(manifest).to_string()).await, "{manifest}");
    }
    assert!(has_blob(&to, &sha256("one")).await && has_blob(&to, &sha256("two")).await);
    assert!(!has_manifest(&to, "first").await, "only the tag that was asked for is copied");
}

async fn a_manifest_that_several_indexes_list_is_copied_once_and_in_time(fixture: Fixture) {
    let (from, to) = (fixture.repository("from"), fixture.repository("to"));
    let [first, second, inner, _] = push_nested(&from, "all").await;
    // The shared image stands on either side of the index that needs it.
    for listed in [[&first, &inner, &second], [&second, &inner, &first]] {
        let outer = index(&listed);
        push_manifest(&from, "again", &outer).await.unwrap();
        to.delete().await.ok();
        assert_eq!(copy(&from, &to, "again").await.unwrap(), digest_of(&outer));
    }
}

async fn a_copy_outlives_its_source(fixture: Fixture) {
    let (from, to) = (fixture.repository("from"), fixture.repository("to"));
    let image = push_image(&from, "v1", "{}", &["layer"]).await;
    copy(&from, &to, "v1").await.unwrap();
    from.delete().await.unwrap();
    collect_all(&fixture).await;
    assert!(has_manifest(&to, &digest_of(&image).to_string()).await);
    assert!(has_blob(&to, &sha256("layer")).await);
}

async fn a_copy_within_a_repository_is_another_tag(fixture: Fixture) {
    let repository = fixture.repository("app");
    let image = push_image(&repository, "v1", "{}", &["layer"]).await;
    repository.copy(&repository, &reference("v1"), &reference("stable")).await.unwrap();
    let found = repository.manifests().get(&reference("stable")).await.unwrap();
    assert_eq!(found.digest, digest_of(&image));
}

async fn what_the_source_lacks_is_refused_and_no_tag_appears(fixture: Fixture) {
    let (from, to) = (fixture.repository("from"), fixture.repository("to"));
    push_image(&from, "v1", "{}", &["layer"]).await;
    assert!(matches!(copy(&from, &to, "v2").await, Err(Error::ManifestUnknown(_))));
    from.blobs().delete(&sha256("layer")).await.unwrap();
    assert!(matches!(copy(&from, &to, "v1").await, Err(Error::ManifestBlobUnknown(_))));
    assert!(!has_manifest(&to, "v1").await);
}

async fn nothing_is_copied_in_read_only_mode(fixture: Fixture) {
    push_image(&fixture.repository("from"), "v1", "{}", &[]).await;
    let registry = fixture.with_rules(Rules { read_only: true, ..Rules::default() });
    let (from, to) = (registry.repository(name("from")), registry.repository(name("to")));
    assert!(matches!(copy(&from, &to, "v1").await, Err(Error::ReadOnly)));
}
