//! Pushes and deletions that are done only if nobody else was faster (`If-Match`, `If-None-Match`).

use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use crate::fixture::{Answer, OCI_MANIFEST, Registry, absent, digest_of};

const TAG: &str = "/v2/app/manifests/latest";

async fn push_if(registry: &Registry, path: &str, header: (&str, &str), manifest: &Value) -> Answer {
    let headers = [("content-type", OCI_MANIFEST), header];
    registry.send(Method::PUT, path, &headers, manifest.to_string()).await
}

async fn target(registry: &Registry) -> String {
    registry.head(TAG).await.header("docker-content-digest").to_owned()
}

#[tokio::test]
async fn a_tag_is_moved_only_from_where_the_client_saw_it() {
    let registry = Registry::new();
    let seen = registry.push_image("app", "latest").await.to_string();
    let (second, third) = (registry.image("app", "second").await, registry.image("app", "third").await);
    let etag = format!("\"{seen}\"");
    assert_eq!(push_if(&registry, TAG, ("if-match", &etag), &second).await.status, StatusCode::CREATED);

    let refused = push_if(&registry, TAG, ("if-match", &etag), &third).await;
    refused.assert_error(412, "DENIED");
    let current = digest_of(second.to_string().as_bytes()).to_string();
    assert_eq!(refused.json()["errors"][0]["detail"], json!({ "reference": "latest", "current": current }));
    assert_eq!(target(&registry).await, current);
    let unpushed = digest_of(third.to_string().as_bytes());
    registry.get(&format!("/v2/app/manifests/{unpushed}")).await.assert_error(404, "MANIFEST_UNKNOWN");
}

#[tokio::test]
async fn a_tag_is_made_only_if_it_is_new() {
    let registry = Registry::new();
    let (first, second) = (registry.image("app", "first").await, registry.image("app", "second").await);
    let new = ("if-none-match", "*");
    assert_eq!(push_if(&registry, TAG, new, &first).await.status, StatusCode::CREATED);
    push_if(&registry, TAG, new, &second).await.assert_error(412, "DENIED");
    push_if(&registry, TAG, new, &first).await.assert_error(412, "DENIED");
    assert_eq!(target(&registry).await, digest_of(first.to_string().as_bytes()).to_string());
}

#[tokio::test]
async fn a_tag_that_does_not_exist_matches_nothing() {
    let registry = Registry::new();
    let manifest = registry.image("app", "one").await;
    for expected in ["*", &format!("\"{}\"", absent()), "\"no digest\""] {
        let answer = push_if(&registry, TAG, ("if-match", expected), &manifest).await;
        answer.assert_error(412, "DENIED");
        assert_eq!(answer.json()["errors"][0]["detail"]["current"], Value::Null);
    }
}

#[tokio::test]
async fn of_several_tags_all_must_be_as_expected() {
    let registry = Registry::new();
    registry.push_image("app", "taken").await;
    let manifest = registry.image("app", "one").await;
    let path = format!("{TAG}?tag=taken");
    push_if(&registry, &path, ("if-none-match", "*"), &manifest).await.assert_error(412, "DENIED");
    registry.get(TAG).await.assert_error(404, "MANIFEST_UNKNOWN");
}

#[tokio::test]
async fn a_manifest_is_pushed_by_its_digest_only_if_it_is_new() {
    let registry = Registry::new();
    let manifest = registry.image("app", "one").await;
    let path = format!("/v2/app/manifests/{}", digest_of(manifest.to_string().as_bytes()));
    let new = ("if-none-match", "*");
    assert_eq!(push_if(&registry, &path, new, &manifest).await.status, StatusCode::CREATED);
    push_if(&registry, &path, new, &manifest).await.assert_error(412, "DENIED");
}

#[tokio::test]
async fn a_tag_is_deleted_only_where_the_client_saw_it() {
    let registry = Registry::new();
    let digest = registry.push_image("app", "latest").await;
    let other = format!("\"{}\"", absent());
    let answer = registry.send(Method::DELETE, TAG, &[("if-match", &other)], "").await;
    answer.assert_error(412, "DENIED");
    let etag = format!("\"{digest}\"");
    let answer = registry.send(Method::DELETE, TAG, &[("if-match", &etag)], "").await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    let answer = registry.send(Method::DELETE, TAG, &[("if-match", &etag)], "").await;
    answer.assert_error(404, "MANIFEST_UNKNOWN");
}

#[tokio::test]
async fn of_many_who_want_to_make_a_tag_one_succeeds() {
    let registry = Registry::new();
    let mut manifests = Vec::new();
    for number in 0..32 {
        manifests.push(registry.image("app", &format!("image {number}")).await);
    }
    let pushes = manifests.iter().map(|manifest| push_if(&registry, TAG, ("if-none-match", "*"), manifest));
    let answers = futures::future::join_all(pushes).await;
    let won = |answer: &Answer| answer.status == StatusCode::CREATED;
    assert_eq!(answers.iter().filter(|answer| won(answer)).count(), 1);
    for refused in answers.iter().filter(|answer| !won(answer)) {
        refused.assert_error(412, "DENIED");
    }
    let winner = answers.iter().position(won).unwrap();
    assert_eq!(target(&registry).await, digest_of(manifests[winner].to_string().as_bytes()).to_string());
}

#[tokio::test]
async fn a_counter_that_many_raise_by_comparing_and_swapping_misses_none() {
    let registry = Registry::new();
    registry.push_image("app", "latest").await;
    let raise = |number: usize| {
        let registry = &registry;
        async move {
            let manifest = registry.image("app", &format!("raised by {number}")).await;
            loop {
                let etag = format!("\"{}\"", target(registry).await);
                if push_if(registry, TAG, ("if-match", &etag), &manifest).await.status == StatusCode::CREATED
                {
                    return etag;
                }
            }
        }
    };
    let replaced = futures::future::join_all((0..16).map(raise)).await;
    // Each has replaced another one: nobody has overwritten what somebody else had not seen.
    let distinct: std::collections::BTreeSet<_> = replaced.iter().collect();
    assert_eq!(distinct.len(), replaced.len());
}
