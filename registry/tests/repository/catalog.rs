//! The catalog in pages.

use berth_registry::repository::Page;

use crate::fixture::*;
use crate::for_every_store;

for_every_store!(
    repositories_are_listed_in_lexical_order_however_they_nest,
    every_page_goes_on_where_the_last_one_ended,
    a_page_goes_on_after_whatever_a_client_says,
    more_may_be_nested_in_a_repository_than_are_read_at_once,
    only_visible_repositories_are_listed,
    a_repository_without_manifests_does_not_exist,
    an_empty_registry_has_an_empty_catalog_and_is_ready,
);

/// Sorted by bytes, which a walk over folders would not be.
const NAMES: [&str; 8] = ["a", "a-b", "a-b/c", "a.b", "a/b", "a/b/c/d", "a0", "b/c"];

async fn pushed(fixture: &Fixture) {
    for name in NAMES.iter().rev() {
        push_image(&fixture.repository(name), "v1", "{}", &[]).await;
    }
}

async fn list(fixture: &Fixture, page: Page) -> (Vec<String>, Option<String>) {
    let listing = fixture.registry.catalog(&page, |_| true).await.unwrap();
    (listing.items.iter().map(ToString::to_string).collect(), listing.next)
}

async fn repositories_are_listed_in_lexical_order_however_they_nest(fixture: Fixture) {
    pushed(&fixture).await;
    assert!(NAMES.is_sorted());
    assert_eq!(list(&fixture, Page::default()).await, (NAMES.map(str::to_owned).to_vec(), None));
}

async fn every_page_goes_on_where_the_last_one_ended(fixture: Fixture) {
    pushed(&fixture).await;
    for (index, name) in NAMES.iter().enumerate() {
        let (names, _) = list(&fixture, Page { limit: None, last: Some((*name).to_owned()) }).await;
        assert_eq!(names, NAMES[index + 1..], "after {name}");
    }
    let (names, next) = list(&fixture, Page { limit: Some(3), last: None }).await;
    assert_eq!(names, NAMES[..3]);
    assert_eq!(next.as_deref(), Some("a-b/c"));
    let (names, _) = list(&fixture, Page { limit: Some(2), last: Some("a/a".to_owned()) }).await;
    assert_eq!(names, ["a/b", "a/b/c/d"]);
}

/// Names that exist and such that do not, nested ones, and what could not be a name.
async fn a_page_goes_on_after_whatever_a_client_says(fixture: Fixture) {
    pushed(&fixture).await;
    let strange =
        ["a/", "a-", "a.", "a-b-c/d", "a-b/c/", "a/b/c", "a/_uploads", "a/b\0", "A", "../..", "a*", "ä", "/"];
    let long = "a/".repeat(400);
    for last in strange.into_iter().chain(["", "a/a", "a/b-c", "0", "b/c/d", "c", &long]) {
        let (names, _) = list(&fixture, Page { limit: None, last: Some(last.to_owned()) }).await;
        let expected: Vec<_> = NAMES.into_iter().filter(|name| *name > last).collect();
        assert_eq!(names, expected, "after {last:?}");
    }
}

/// Of which most come before what the repository has itself.
async fn more_may_be_nested_in_a_repository_than_are_read_at_once(fixture: Fixture) {
    let nested = (0..1100).map(|number| format!("a/{number:04}"));
    let names: Vec<_> = ["a".to_owned(), "a-b".to_owned()].into_iter().chain(nested).collect();
    for name in &names {
        let link = format!("docker/registry/v2/repositories/{name}/_manifests/tags/v1/current/link");
        fixture.store.note(&link.parse().unwrap(), "x".into()).await.unwrap();
    }
    let (mut listed, mut last) = (Vec::new(), None);
    loop {
        let (names, next) = list(&fixture, Page { limit: Some(300), last }).await;
        listed.extend(names);
        if next.is_none() {
            break;
        }
        last = next;
    }
    assert_eq!(listed, names);
}

async fn only_visible_repositories_are_listed(fixture: Fixture) {
    pushed(&fixture).await;
    let page = Page { limit: Some(2), last: None };
    let listing = fixture.registry.catalog(&page, |name| name.as_str().starts_with("a/")).await.unwrap();
    assert_eq!(listing.items, [name("a/b"), name("a/b/c/d")]);
    assert_eq!(listing.next, None);
}

async fn a_repository_without_manifests_does_not_exist(fixture: Fixture) {
    push_blob(&fixture.repository("only/blobs"), "content").await;
    let image = push_image(&fixture.repository("app"), "v1", "{}", &[]).await;
    assert_eq!(list(&fixture, Page::default()).await.0, ["app"]);
    let digest = reference(&digest_of(&image).to_string());
    fixture.repository("app").manifests().delete(&digest).await.unwrap();
    assert!(list(&fixture, Page::default()).await.0.is_empty());
}

async fn an_empty_registry_has_an_empty_catalog_and_is_ready(fixture: Fixture) {
    assert_eq!(list(&fixture, Page::default()).await, (vec![], None));
    fixture.registry.check().await.unwrap();
    push_blob(&fixture.repository("app"), "content").await;
    fixture.registry.check().await.unwrap();
}
