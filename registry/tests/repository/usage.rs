//! How much of the storage each repository takes.

use berth_registry::repository::Amount;

use crate::fixture::*;
use crate::for_every_store;

for_every_store!(
    what_repositories_share_is_told_apart_from_what_is_their_own,
    content_that_no_repository_has_is_counted_in_the_total,
    a_link_without_content_takes_nothing,
);

fn amount(contents: &[&str]) -> Amount {
    Amount { blobs: contents.len() as u64, bytes: contents.iter().map(|content| content.len() as u64).sum() }
}

async fn what_repositories_share_is_told_apart_from_what_is_their_own(fixture: Fixture) {
    let one = push_image(&fixture.repository("one"), "1", "{}", &["base", "first"]).await.to_string();
    let two = push_image(&fixture.repository("two"), "1", "{}", &["base", "second"]).await.to_string();
    let usage = fixture.registry.usage().await.unwrap();
    let [first, second] = &usage.repositories[..] else { panic!("{usage:?}") };
    assert_eq!((first.own, first.shared), (amount(&["first", &one]), amount(&["{}", "base"])));
    assert_eq!((second.own, second.shared), (amount(&["second", &two]), amount(&["{}", "base"])));
    assert_eq!(usage.total, amount(&["{}", "base", "first", "second", &one, &two]));
    assert_eq!(usage.unlinked, Amount::default());
}

async fn content_that_no_repository_has_is_counted_in_the_total(fixture: Fixture) {
    let repository = fixture.repository("app");
    let digest = push_blob(&repository, "orphan").await;
    repository.blobs().delete(&digest).await.unwrap();
    let usage = fixture.registry.usage().await.unwrap();
    assert_eq!((usage.unlinked, usage.total), (amount(&["orphan"]), amount(&["orphan"])));
}

async fn a_link_without_content_takes_nothing(fixture: Fixture) {
    let digest = push_blob(&fixture.repository("app"), "gone").await;
    let hex = digest.hex();
    let data = format!("docker/registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2]);
    fixture.store.delete(&data.parse().unwrap()).await.unwrap();
    let usage = fixture.registry.usage().await.unwrap();
    assert_eq!((usage.repositories[0].own, usage.total), (Amount::default(), Amount::default()));
}
