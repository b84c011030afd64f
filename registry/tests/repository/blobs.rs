//! Blobs that are read, mounted and deleted.

use berth_registry::repository::{Error, Rules};

use crate::fixture::*;
use crate::for_every_store;

for_every_store!(
    a_blob_is_read_whole_and_in_part,
    a_range_outside_the_blob_is_told_its_size,
    a_blob_of_another_repository_is_unknown,
    a_link_without_content_shows_nothing,
    a_manifest_is_served_as_a_blob_too,
    a_mounted_blob_is_visible_in_both_repositories,
    what_the_source_does_not_have_is_not_mounted,
    a_deleted_blob_is_gone_from_its_repository_only,
    deletion_must_be_allowed,
    nothing_changes_in_read_only_mode,
    an_alias_of_sha512_that_distribution_wrote_is_followed,
    a_blob_is_mounted_from_any_visible_repository,
);

async fn a_blob_is_read_whole_and_in_part(fixture: Fixture) {
    let repository = fixture.repository("app");
    let digest = push_blob(&repository, "0123456789").await;
    let info = repository.blobs().head(&digest).await.unwrap();
    assert_eq!((info.digest, info.size), (digest, 10));
    let whole = repository.blobs().open(&digest, None).await.unwrap();
    assert_eq!((whole.size, whole.range), (10, None));
    assert_eq!(collect(whole.body).await, b"0123456789");
    for (range, bounds, expected) in [
        ("bytes=2-4", 2..=4, "234"),
        ("bytes=7-", 7..=9, "789"),
        ("bytes=-2", 8..=9, "89"),
        ("bytes=0-99", 0..=9, "0123456789"),
    ] {
        let part = repository.blobs().open(&digest, Some(range.parse().unwrap())).await.unwrap();
        assert_eq!((part.size, part.range), (10, Some(bounds)));
        assert_eq!(collect(part.body).await, expected.as_bytes());
    }
}

async fn a_range_outside_the_blob_is_told_its_size(fixture: Fixture) {
    let repository = fixture.repository("app");
    let digest = push_blob(&repository, "0123456789").await;
    let error = repository.blobs().open(&digest, Some("bytes=10-".parse().unwrap())).await.unwrap_err();
    assert!(matches!(error, Error::RangeNotSatisfiable { size: 10 }), "{error:?}");
}

async fn a_blob_of_another_repository_is_unknown(fixture: Fixture) {
    let digest = push_blob(&fixture.repository("theirs"), "secret").await;
    let error = fixture.repository("mine").blobs().head(&digest).await.unwrap_err();
    assert!(matches!(error, Error::BlobUnknown(unknown) if unknown == digest), "{error:?}");
    assert!(!has_blob(&fixture.repository("mine"), &digest).await);
}

async fn a_link_without_content_shows_nothing(fixture: Fixture) {
    let repository = fixture.repository("app");
    let digest = push_blob(&repository, "content").await;
    let data = fixture.keys().await.into_iter().find(|key| key.ends_with("/data")).unwrap();
    fixture.store.delete(&data.parse().unwrap()).await.unwrap();
    assert!(matches!(repository.blobs().head(&digest).await, Err(Error::BlobUnknown(_))));
    assert!(!has_blob(&repository, &digest).await);
    let other = fixture.repository("other");
    assert_eq!(other.blobs().mount(&digest, &name("app")).await.unwrap(), None);
    push_blob(&repository, "content").await;
    assert!(has_blob(&repository, &digest).await);
}

async fn a_manifest_is_served_as_a_blob_too(fixture: Fixture) {
    let repository = fixture.repository("app");
    let manifest = push_image(&repository, "v1", "{}", &["layer"]).await;
    let content = repository.blobs().open(&digest_of(&manifest), None).await.unwrap();
    assert_eq!(collect(content.body).await, manifest.to_string().as_bytes());
}

async fn a_mounted_blob_is_visible_in_both_repositories(fixture: Fixture) {
    let (source, target) = (fixture.repository("a/source"), fixture.repository("target"));
    let digest = push_blob(&source, "content").await;
    assert!(target.blobs().mount(&digest, source.name()).await.unwrap().is_some());
    assert!(has_blob(&source, &digest).await);
    assert!(has_blob(&target, &digest).await);
    assert_eq!(fixture.keys().await.iter().filter(|key| key.ends_with("/data")).count(), 1);
}

async fn what_the_source_does_not_have_is_not_mounted(fixture: Fixture) {
    let digest = push_blob(&fixture.repository("theirs"), "content").await;
    let target = fixture.repository("target");
    assert_eq!(target.blobs().mount(&digest, &name("no/such")).await.unwrap(), None);
    assert!(!has_blob(&target, &digest).await);
}

async fn a_deleted_blob_is_gone_from_its_repository_only(fixture: Fixture) {
    let (one, other) = (fixture.repository("one"), fixture.repository("other"));
    let digest = push_blob(&one, "content").await;
    push_blob(&other, "content").await;
    one.blobs().delete(&digest).await.unwrap();
    assert!(!has_blob(&one, &digest).await);
    assert!(has_blob(&other, &digest).await);
    assert!(matches!(one.blobs().delete(&digest).await, Err(Error::BlobUnknown(_))));
}

async fn deletion_must_be_allowed(fixture: Fixture) {
    push_image(&fixture.repository("app"), "v1", "{}", &[]).await;
    let repository = fixture.with_rules(Rules::default()).repository(name("app"));
    assert!(matches!(repository.blobs().delete(&sha256("{}")).await, Err(Error::DeleteDisabled)));
    assert!(matches!(repository.manifests().delete(&reference("v1")).await, Err(Error::DeleteDisabled)));
    assert!(has_manifest(&repository, "v1").await);
}

async fn nothing_changes_in_read_only_mode(fixture: Fixture) {
    let image = push_image(&fixture.repository("app"), "v1", "{}", &[]).await;
    let upload = fixture.repository("app").uploads().start().await.unwrap();
    let before = fixture.keys().await;
    let rules = Rules { read_only: true, delete_enabled: true, ..Rules::default() };
    let repository = fixture.with_rules(rules).repository(name("app"));
    let digest = sha256("{}");
    let refused = [
        repository.blobs().delete(&digest).await.err(),
        repository.blobs().mount(&digest, &name("app")).await.err(),
        repository.uploads().start().await.err(),
        repository.uploads().append(&upload, None, body(["x"])).await.err(),
        repository.uploads().finish(&upload, None, body(["x"]), &digest).await.err(),
        repository.uploads().cancel(&upload).await.err(),
        repository.uploads().push_whole(&digest, body(["{}"])).await.err(),
        push_manifest(&repository, "v2", &image).await.err(),
        repository.manifests().delete(&reference("v1")).await.err(),
    ];
    for error in refused {
        assert!(matches!(error, Some(Error::ReadOnly)), "{error:?}");
    }
    assert_eq!(fixture.keys().await, before);
    assert!(has_manifest(&repository, "v1").await);
}

async fn an_alias_of_sha512_that_distribution_wrote_is_followed(fixture: Fixture) {
    let repository = fixture.repository("app");
    let canonical = push_blob(&repository, "content").await;
    let alias = sha512("content");
    let link = format!("docker/registry/v2/repositories/app/_layers/sha512/{}/link", alias.hex());
    let condition = berth_storage::PutCondition::Always;
    fixture.store.put(&link.parse().unwrap(), canonical.to_string().into(), condition).await.unwrap();
    assert_eq!(repository.blobs().head(&alias).await.unwrap().size, 7);
    let content = repository.blobs().open(&alias, None).await.unwrap();
    assert_eq!(collect(content.body).await, b"content");
}

async fn a_blob_is_mounted_from_any_visible_repository(fixture: Fixture) {
    let digest = push_blob(&fixture.repository("secret/base"), "shared").await;
    let target = fixture.repository("app");
    let mount = async |hidden: &str| {
        let visible = |name: &berth_oci::RepositoryName| !name.as_str().starts_with(hidden);
        target.blobs().mount_from_any(&digest, visible).await.unwrap()
    };
    assert_eq!(mount("secret").await, None);
    assert!(!has_blob(&target, &digest).await);
    push_blob(&fixture.repository("team/base"), "shared").await;
    let (_, from) = mount("secret").await.unwrap();
    assert_eq!(from, name("team/base"));
    assert!(has_blob(&target, &digest).await);
    let (_, from) = mount("").await.unwrap();
    assert_eq!(from, name("app"), "the repository has it itself");
    assert_eq!(target.blobs().mount_from_any(&sha256("absent"), |_| true).await.unwrap(), None);
}
