//! Tags in pages.

use berth_registry::repository::{Error, Page};

use crate::fixture::*;
use crate::for_every_store;

for_every_store!(
    tags_are_listed_in_lexical_order,
    tags_are_listed_in_pages,
    a_repository_that_has_only_blobs_has_no_tags,
    a_repository_that_has_nothing_is_unknown,
    a_repository_whose_tags_are_gone_has_an_empty_list,
    a_tag_without_a_target_is_not_listed,
);

async fn pushed(fixture: &Fixture, tags: &[&str]) -> berth_registry::repository::Repository {
    let repository = fixture.repository("app");
    let image = push_image(&repository, tags[0], "{}", &[]).await;
    for tag in tags {
        push_manifest(&repository, tag, &image).await.unwrap();
    }
    repository
}

async fn list(
    repository: &berth_registry::repository::Repository,
    page: Page,
) -> (Vec<String>, Option<String>) {
    let listing = repository.tags().list(&page).await.unwrap();
    (listing.items.iter().map(ToString::to_string).collect(), listing.next)
}

async fn tags_are_listed_in_lexical_order(fixture: Fixture) {
    let repository = pushed(&fixture, &["v2", "latest", "v10", "V1", "_x"]).await;
    let (tags, next) = list(&repository, Page::default()).await;
    assert_eq!(tags, ["V1", "_x", "latest", "v10", "v2"]);
    assert_eq!(next, None);
}

async fn tags_are_listed_in_pages(fixture: Fixture) {
    let repository = pushed(&fixture, &["a", "b", "c", "d", "e"]).await;
    let mut page = Page { limit: Some(2), last: None };
    let mut pages = Vec::new();
    loop {
        let (tags, next) = list(&repository, page.clone()).await;
        pages.push(tags.concat());
        if next.is_none() {
            break;
        }
        page.last = next;
    }
    assert_eq!(pages, ["ab", "cd", "e"]);
    let after_absent = Page { limit: Some(1), last: Some("bb".to_owned()) };
    assert_eq!(list(&repository, after_absent).await, (vec!["c".to_owned()], Some("c".to_owned())));
    assert_eq!(list(&repository, Page { limit: Some(0), last: None }).await, (vec![], None));
    assert_eq!(list(&repository, Page { limit: Some(5), last: Some("e".to_owned()) }).await, (vec![], None));
}

async fn a_repository_that_has_only_blobs_has_no_tags(fixture: Fixture) {
    let repository = fixture.repository("app");
    push_blob(&repository, "content").await;
    assert_eq!(list(&repository, Page::default()).await, (vec![], None));
}

async fn a_repository_that_has_nothing_is_unknown(fixture: Fixture) {
    let repository = fixture.repository("app");
    let error = repository.tags().list(&Page::default()).await.unwrap_err();
    assert!(matches!(error, Error::NameUnknown(unknown) if unknown == name("app")));
}

async fn a_repository_whose_tags_are_gone_has_an_empty_list(fixture: Fixture) {
    let repository = pushed(&fixture, &["v1"]).await;
    repository.manifests().delete(&reference("v1")).await.unwrap();
    assert_eq!(list(&repository, Page::default()).await, (vec![], None));
}

async fn a_tag_without_a_target_is_not_listed(fixture: Fixture) {
    let repository = pushed(&fixture, &["v1", "v2"]).await;
    let current = "docker/registry/v2/repositories/app/_manifests/tags/v1/current/link";
    fixture.store.delete(&current.parse().unwrap()).await.unwrap();
    assert_eq!(list(&repository, Page::default()).await.0, ["v2"]);
}
