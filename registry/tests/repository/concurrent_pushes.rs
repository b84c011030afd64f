//! Many push to one tag at the same time: each push is whole, and the tag is where one of them has put it.

use std::collections::BTreeSet;

use berth_oci::Tag;
use berth_registry::repository::{Error, ManifestPush, Page, Precondition, Repository, Targets};
use futures::future::join_all;
use serde_json::Value;

use crate::fixture::*;
use crate::for_every_store;

for_every_store!(
    the_last_of_many_wins_whole,
    of_many_who_want_to_make_a_tag_one_succeeds,
    several_tags_move_together_or_not_at_all,
    a_deletion_by_digest_spares_a_tag_that_has_moved_on,
);

const MANY: usize = 24;

async fn images(repository: &Repository) -> Vec<Value> {
    push_blob(repository, "{}").await;
    let mut images = Vec::new();
    for number in 0..MANY {
        let layer = format!("layer {number}");
        push_blob(repository, &layer).await;
        images.push(image("{}", &[&layer]));
    }
    images
}

/// Pushes each of the images to `latest`, each from a task of its own.
async fn push_all(
    repository: &Repository,
    images: &[Value],
    precondition: &Precondition,
) -> Vec<Result<(), Error>> {
    let pushes = images.iter().map(|image| {
        let mut push = ManifestPush::to(&reference("latest"), image.to_string().into());
        push.precondition = precondition.clone();
        let repository = repository.clone();
        tokio::spawn(async move { repository.manifests().push(push).await.map(drop) })
    });
    join_all(pushes).await.into_iter().map(Result::unwrap).collect()
}

async fn the_last_of_many_wins_whole(fixture: Fixture) {
    let repository = fixture.repository("app");
    let images = images(&repository).await;
    for outcome in push_all(&repository, &images, &Precondition::default()).await {
        outcome.unwrap();
    }
    let winner = repository.manifests().get(&reference("latest")).await.unwrap();
    assert!(images.iter().any(|image| winner.bytes == image.to_string()));
    for image in &images {
        assert!(has_manifest(&repository, &digest_of(image).to_string()).await);
    }
    let history = fixture.keys().await.into_iter().filter(|key| key.contains("/tags/latest/index/"));
    assert_eq!(history.count(), MANY);
}

async fn of_many_who_want_to_make_a_tag_one_succeeds(fixture: Fixture) {
    let repository = fixture.repository("app");
    let images = images(&repository).await;
    let new = Precondition { if_none_match: Some(Targets::Any), ..Precondition::default() };
    let outcomes = push_all(&repository, &images, &new).await;
    let winners: Vec<_> = outcomes.iter().zip(&images).filter(|(outcome, _)| outcome.is_ok()).collect();
    assert_eq!(winners.len(), 1);
    let tagged = repository.manifests().get(&reference("latest")).await.unwrap();
    assert_eq!(tagged.digest, digest_of(winners[0].1));
    for error in outcomes.into_iter().filter_map(Result::err) {
        assert!(matches!(error, Error::PreconditionFailed { .. }), "{error:?}");
    }
}

async fn several_tags_move_together_or_not_at_all(fixture: Fixture) {
    let repository = fixture.repository("app");
    let images = images(&repository).await;
    let names: Vec<Tag> = ["a", "b", "c"].iter().map(|name| name.parse().unwrap()).collect();
    let pushes = images.iter().enumerate().map(|(number, image)| {
        let mut push = ManifestPush::to(&reference(&digest_of(image).to_string()), image.to_string().into());
        push.tags.clone_from(&names);
        push.tags.rotate_left(number % names.len());
        let repository = repository.clone();
        tokio::spawn(async move { repository.manifests().push(push).await.unwrap() })
    });
    join_all(pushes).await;
    let mut targets = BTreeSet::new();
    for name in ["a", "b", "c"] {
        targets.insert(repository.manifests().get(&reference(name)).await.unwrap().digest);
    }
    assert_eq!(targets.len(), 1, "{targets:?}");
}

async fn a_deletion_by_digest_spares_a_tag_that_has_moved_on(fixture: Fixture) {
    let repository = fixture.repository("app");
    push_blob(&repository, "{}").await;
    push_blob(&repository, "new").await;
    let (old, new) = (image("{}", &[]), image("{}", &["new"]));
    for _ in 0..MANY {
        push_manifest(&repository, "latest", &old).await.unwrap();
        let (pushing, deleting) = (repository.clone(), repository.clone());
        let (new, old) = (new.clone(), digest_of(&old).to_string());
        let moved = tokio::spawn(async move { push_manifest(&pushing, "latest", &new).await.map(drop) });
        let deleted = tokio::spawn(async move { deleting.manifests().delete(&reference(&old)).await });
        moved.await.unwrap().unwrap();
        deleted.await.unwrap().unwrap();
        let tags = repository.tags().list(&Page::default()).await.unwrap();
        assert_eq!(tags.items.len(), 1, "an acknowledged tag is gone");
    }
}
