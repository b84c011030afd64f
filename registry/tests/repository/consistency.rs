//! The consistency check: what it finds, and what a repair does.

use std::time::Duration;

use berth_oci::{Digest, UploadId};
use berth_registry::repository::{
    CheckOptions, CheckProgress, CheckSummary, Error, Finding, Problem, Registry, Rules,
};
use berth_storage::{Clock, PutCondition};

use crate::fixture::*;
use crate::for_every_store;

for_every_store!(
    nothing_is_wrong_after_pushes,
    damaged_content_is_found_and_moved_so_that_a_push_heals_it,
    damaged_content_is_kept_aside_until_it_is_discarded,
    a_copy_of_damaged_content_that_was_interrupted_is_made_again,
    a_check_alone_changes_nothing,
    a_link_without_content_is_removed,
    a_damaged_link_is_written_again,
    a_tag_without_a_manifest_is_removed_with_its_link,
    a_damaged_tag_points_where_it_pointed_last,
    a_manifest_that_lacks_a_part_is_told_and_stays,
    what_may_be_elsewhere_or_was_left_out_is_not_missing,
    the_index_of_referrers_is_mended,
    abandoned_uploads_are_found_and_removed,
    one_repository_is_checked_alone,
    content_need_not_be_read,
);

const CHECK: CheckOptions = CheckOptions {
    repository: None,
    read_content: true,
    minimum_upload_age: Duration::from_hours(24),
    repair: false,
    discard_damaged: false,
};

const REPAIR: CheckOptions = CheckOptions { repair: true, ..CHECK };

async fn check(registry: &Registry, options: &CheckOptions) -> (CheckSummary, Vec<Finding>) {
    let mut findings = Vec::new();
    let mut tell = |progress: CheckProgress<'_>| {
        if let CheckProgress::Found(finding) = progress {
            findings.push(finding.clone());
        }
    };
    let summary = registry.check_consistency(options, &mut tell).await.unwrap();
    assert_eq!(summary.problems, findings.len() as u64);
    (summary, findings)
}

/// The problems that a check finds.
async fn problems(fixture: &Fixture) -> Vec<Problem> {
    check(&fixture.registry, &CHECK).await.1.into_iter().map(|finding| finding.problem).collect()
}

/// Repairs, and makes sure that all of it was repaired.
async fn repair(fixture: &Fixture) {
    let (summary, findings) = check(&fixture.registry, &REPAIR).await;
    assert!(summary.problems > 0 && summary.problems == summary.repaired, "{findings:?}");
    assert_eq!(problems(fixture).await, []);
}

async fn overwrite(fixture: &Fixture, key: &str, content: &'static str) {
    let key = key.parse().unwrap();
    fixture.store.put(&key, content.into(), PutCondition::Always).await.unwrap();
}

async fn remove(fixture: &Fixture, key: &str) {
    fixture.store.delete(&key.parse().unwrap()).await.unwrap();
}

fn blob(digest: &Digest) -> String {
    let hex = digest.hex();
    format!("docker/registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2])
}

fn in_repository(name: &str, path: &str) -> String {
    format!("docker/registry/v2/repositories/{name}/{path}")
}

async fn nothing_is_wrong_after_pushes(fixture: Fixture) {
    let repository = fixture.repository("team/app");
    let image = push_image(&repository, "v1", "{}", &["one", "two"]).await;
    push_manifest(&repository, "both", &index(&[&image])).await.unwrap();
    push_untagged(&repository, &about(&image, image_of_nothing())).await;
    let (summary, findings) = check(&fixture.registry, &REPAIR).await;
    assert_eq!(findings, []);
    assert_eq!((summary.blobs, summary.repositories), (6, 1));
    let content = [image.to_string().len(), index(&[&image]).to_string().len(), 2 + 3 + 3];
    assert!(summary.bytes > content.iter().sum::<usize>() as u64);
}

fn image_of_nothing() -> serde_json::Value {
    image("{}", &[])
}

async fn damaged_content_is_found_and_moved_so_that_a_push_heals_it(fixture: Fixture) {
    let repository = fixture.repository("app");
    let image = push_image(&repository, "v1", "{}", &["layer"]).await;
    let layer = sha256("layer");
    overwrite(&fixture, &blob(&layer), "lay").await;
    let damaged = Problem::DamagedContent { digest: layer, actual: sha256("lay") };
    let missing = Problem::MissingPart { manifest: digest_of(&image), part: layer };
    assert_eq!(problems(&fixture).await, [damaged.clone(), missing]);

    let (summary, findings) = check(&fixture.registry, &REPAIR).await;
    assert_eq!((&findings[0].problem, findings[0].repaired), (&damaged, true));
    assert!(summary.repaired < summary.problems, "the image still lacks its layer");
    assert!(!has_blob(&repository, &layer).await);
    push_blob(&repository, "layer").await;
    assert_eq!(problems(&fixture).await, []);
    assert!(has_manifest(&repository, "v1").await);
}

/// Damages what has this digest, and repairs that.
async fn damage_and_repair(fixture: &Fixture, digest: &Digest, damaged: &'static str) {
    overwrite(fixture, &blob(digest), damaged).await;
    let (_, findings) = check(&fixture.registry, &REPAIR).await;
    let problem = Problem::DamagedContent { digest: *digest, actual: sha256(damaged) };
    assert_eq!((&findings[0].problem, findings[0].repaired), (&problem, true));
}

/// What a check with these options finds set aside: where it was, and what it is.
async fn set_aside(fixture: &Fixture, options: &CheckOptions) -> Vec<(Digest, Digest, u64)> {
    let mut found_aside = Vec::new();
    let mut tell = |progress: CheckProgress<'_>| {
        if let CheckProgress::SetAside(found) = progress {
            found_aside.push((found.digest, found.actual, found.size));
        }
    };
    let summary = fixture.registry.check_consistency(options, &mut tell).await.unwrap();
    assert_eq!(summary.set_aside, found_aside.len() as u64);
    found_aside
}

fn set_aside_as(digest: &Digest, actual: &Digest, file: &str) -> String {
    let (hex, actual) = (digest.hex(), actual.hex());
    format!("docker/registry/v2/_berth/damaged/sha256/{hex}/{actual}/{file}")
}

async fn damaged_content_is_kept_aside_until_it_is_discarded(fixture: Fixture) {
    let repository = fixture.repository("app");
    push_image(&repository, "v1", "{}", &["layer"]).await;
    let layer = sha256("layer");
    let mut expected = Vec::new();
    for damaged in ["lay", ""] {
        damage_and_repair(&fixture, &layer, damaged).await;
        let key = set_aside_as(&layer, &sha256(damaged), "data");
        let kept = fixture.store.get(&key.parse().unwrap(), None).await.unwrap();
        assert_eq!(collect(kept.body).await, damaged.as_bytes());
        push_blob(&repository, "layer").await;
        expected.push((layer, sha256(damaged), damaged.len() as u64));
    }
    expected.sort_by_key(|(_, actual, _)| actual.to_string());
    assert_eq!(problems(&fixture).await, [], "what is set aside is no problem");
    assert_eq!(set_aside(&fixture, &CHECK).await, expected);

    assert_eq!(set_aside(&fixture, &CheckOptions { discard_damaged: true, ..CHECK }).await, expected);
    assert_eq!(set_aside(&fixture, &CHECK).await, []);
    assert!(fixture.keys().await.iter().all(|key| !key.contains("damaged")));
    assert!(has_blob(&repository, &layer).await);
}

async fn a_copy_of_damaged_content_that_was_interrupted_is_made_again(fixture: Fixture) {
    let layer = push_blob(&fixture.repository("app"), "layer").await;
    let partial = set_aside_as(&layer, &sha256("lay"), "partial").parse().unwrap();
    fixture.store.append(&partial, 0, body(["la"]), None).await.unwrap();
    damage_and_repair(&fixture, &layer, "lay").await;
    assert_eq!(set_aside(&fixture, &CHECK).await, [(layer, sha256("lay"), 3)]);
}

async fn a_check_alone_changes_nothing(fixture: Fixture) {
    let repository = fixture.repository("app");
    push_image(&repository, "v1", "{}", &["layer"]).await;
    overwrite(&fixture, &blob(&sha256("layer")), "lay").await;
    overwrite(&fixture, &in_repository("app", "_manifests/tags/v1/current/link"), "").await;
    remove(&fixture, &blob(&sha256("{}"))).await;
    let keys = fixture.keys().await;
    assert_eq!(problems(&fixture).await.len(), 5);
    assert_eq!(fixture.keys().await, keys);
}

async fn a_link_without_content_is_removed(fixture: Fixture) {
    let digest = push_blob(&fixture.repository("app"), "gone").await;
    remove(&fixture, &blob(&digest)).await;
    assert_eq!(problems(&fixture).await, [Problem::BlobWithoutContent { digest }]);
    repair(&fixture).await;
    assert!(fixture.keys().await.is_empty());
}

async fn a_damaged_link_is_written_again(fixture: Fixture) {
    let repository = fixture.repository("app");
    let image = push_image(&repository, "v1", "{}", &["layer"]).await;
    let (layer, manifest) = (sha256("layer"), digest_of(&image));
    overwrite(&fixture, &in_repository("app", &format!("_layers/sha256/{}/link", layer.hex())), "").await;
    let revision = in_repository("app", &format!("_manifests/revisions/sha256/{}/link", manifest.hex()));
    overwrite(&fixture, &revision, "sha256:0").await;
    let found = problems(&fixture).await;
    assert!(found.contains(&Problem::DamagedBlobLink { digest: layer }), "{found:?}");
    assert!(found.contains(&Problem::DamagedManifestLink { digest: manifest }), "{found:?}");
    repair(&fixture).await;
    assert!(has_blob(&repository, &layer).await && has_manifest(&repository, "v1").await);
}

async fn a_tag_without_a_manifest_is_removed_with_its_link(fixture: Fixture) {
    let repository = fixture.repository("app");
    let digest = digest_of(&push_image(&repository, "v1", "{}", &[]).await);
    push_image(&repository, "v2", "{\"a\":1}", &[]).await;
    remove(&fixture, &blob(&digest)).await;
    let tag = "v1".parse().unwrap();
    let expected = [Problem::ManifestWithoutContent { digest }, Problem::TagWithoutManifest { tag, digest }];
    assert_eq!(problems(&fixture).await, expected);
    repair(&fixture).await;
    let tags = repository.tags().list(&berth_registry::repository::Page::default()).await.unwrap().items;
    assert_eq!(tags, ["v2".parse().unwrap()]);
}

async fn a_damaged_tag_points_where_it_pointed_last(fixture: Fixture) {
    let repository = fixture.repository("app");
    let older = digest_of(&push_image(&repository, "v1", "{\"old\":1}", &[]).await);
    let newer = digest_of(&push_image(&repository, "v1", "{}", &[]).await);
    let history = |digest: &Digest| {
        in_repository("app", &format!("_manifests/tags/v1/index/sha256/{}/link", digest.hex()))
            .parse()
            .unwrap()
    };
    let (older, newest) = (history(&older), history(&newer));
    // Stores date objects in steps.
    while fixture.store.head(&newest).await.unwrap().modified
        <= fixture.store.head(&older).await.unwrap().modified
    {
        fixture.store.put(&newest, newer.to_string().into(), PutCondition::Always).await.unwrap();
    }
    overwrite(&fixture, &in_repository("app", "_manifests/tags/v1/current/link"), "garbage").await;
    assert_eq!(problems(&fixture).await, [Problem::DamagedTag { tag: "v1".parse().unwrap() }]);
    repair(&fixture).await;
    assert_eq!(repository.manifests().get(&reference("v1")).await.unwrap().digest, newer);
}

async fn a_manifest_that_lacks_a_part_is_told_and_stays(fixture: Fixture) {
    let repository = fixture.repository("app");
    let image = push_image(&repository, "v1", "{}", &["layer"]).await;
    let part = sha256("layer");
    repository.blobs().delete(&part).await.unwrap();
    let missing = Problem::MissingPart { manifest: digest_of(&image), part };
    let (summary, findings) = check(&fixture.registry, &REPAIR).await;
    assert_eq!((&findings[0].problem, summary.repaired), (&missing, 0));
    assert!(has_manifest(&repository, "v1").await);
}

async fn what_may_be_elsewhere_or_was_left_out_is_not_missing(fixture: Fixture) {
    let repository = fixture.repository("app");
    push_blob(&repository, "{}").await;
    let mut foreign = image("{}", &["elsewhere"]);
    foreign["layers"][0]["urls"] = serde_json::json!(["https://example.com/layer"]);
    push_manifest(&repository, "foreign", &foreign).await.unwrap();
    let child = push_image(&repository, "child", "{}", &[]).await;
    push_manifest(&repository, "sparse", &index(&[&child])).await.unwrap();
    repository.manifests().delete(&reference(&digest_of(&child).to_string())).await.unwrap();
    assert_eq!(problems(&fixture).await, []);
}

async fn the_index_of_referrers_is_mended(fixture: Fixture) {
    let repository = fixture.repository("app");
    let image = push_image(&repository, "v1", "{}", &[]).await;
    let (subject, referrer) =
        (digest_of(&image), push_untagged(&repository, &about(&image, image_of_nothing())).await);
    let link =
        |referrer: &Digest| format!("_referrers/sha256/{}/sha256/{}/link", subject.hex(), referrer.hex());
    remove(&fixture, &in_repository("app", &link(&referrer))).await;
    let stale = sha256("nobody");
    overwrite(&fixture, &in_repository("app", &link(&stale)), "x").await;
    let expected = [
        Problem::ReferrerNotIndexed { subject, referrer },
        Problem::StaleReferrer { subject, referrer: stale },
    ];
    assert_eq!(problems(&fixture).await, expected);
    repair(&fixture).await;
}

async fn abandoned_uploads_are_found_and_removed(fixture: Fixture) {
    let upload: UploadId = fixture.repository("app").uploads().start().await.unwrap();
    assert_eq!(problems(&fixture).await, []);
    let clock = Clock::new(|| std::time::SystemTime::now() + Duration::from_hours(25));
    let tomorrow = Registry::with_clock(std::sync::Arc::clone(&fixture.store), Rules::default(), clock);
    let (_, findings) = check(&tomorrow, &REPAIR).await;
    assert_eq!(findings[0].problem, Problem::AbandonedUpload { upload });
    assert!(findings[0].repaired && fixture.keys().await.is_empty());
}

async fn one_repository_is_checked_alone(fixture: Fixture) {
    for name in ["one", "two"] {
        push_image(&fixture.repository(name), "v1", "{}", &[name]).await;
        overwrite(&fixture, &blob(&sha256(name)), "damaged").await;
    }
    let only = |name: &str| CheckOptions { repository: Some(self::name(name)), ..CHECK };
    let (summary, findings) = check(&fixture.registry, &only("two")).await;
    assert_eq!((summary.blobs, summary.repositories, summary.problems), (3, 1, 2));
    let damaged = Problem::DamagedContent { digest: sha256("two"), actual: sha256("damaged") };
    assert_eq!(findings[0].problem, damaged);
    let unknown = fixture.registry.check_consistency(&only("three"), &mut |_| {}).await;
    assert!(matches!(unknown, Err(Error::NameUnknown(_))), "{unknown:?}");
}

async fn content_need_not_be_read(fixture: Fixture) {
    push_image(&fixture.repository("app"), "v1", "{}", &["layer"]).await;
    overwrite(&fixture, &blob(&sha256("layer")), "lay").await;
    let (summary, findings) = check(&fixture.registry, &CheckOptions { read_content: false, ..CHECK }).await;
    assert_eq!((summary.blobs, findings), (0, vec![]));
}
