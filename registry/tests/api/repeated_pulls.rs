//! Pulls that are repeated: their answers are ready, and yet no other than those of the first pull would be now.

use std::time::{Duration, Instant};

use berth_oci::Digest;
use berth_registry::auth::entry;
use hyper::{Method, StatusCode};

use crate::fixture::{Answer, OCI_INDEX, OCI_MANIFEST, Registry};

/// Waits until files have been as they are for so long that answers made of them are kept ready.
pub(crate) async fn settle() {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(1100) {
        tokio::task::yield_now().await;
    }
}

/// Pulls so often that the answer is ready, and returns it as `GET` and `HEAD` have it.
async fn pull(registry: &Registry, reference: &str) -> [Answer; 2] {
    let path = format!("/v2/app/manifests/{reference}");
    registry.get(&path).await;
    registry.get(&path).await;
    [registry.get(&path).await, registry.head(&path).await]
}

async fn assert_pulled(registry: &Registry, reference: &str, digest: &Digest) {
    let [got, head] = pull(registry, reference).await;
    for answer in [&got, &head] {
        assert_eq!(answer.status, StatusCode::OK, "{reference}");
        assert_eq!(answer.header("docker-content-digest"), digest.to_string());
        assert_eq!(answer.header("content-type"), OCI_MANIFEST);
        assert!(answer.headers.contains_key("x-request-id"));
    }
    assert_eq!(head.header("content-length"), got.body.len().to_string());
    assert!(head.body.is_empty());
}

async fn assert_unknown(registry: &Registry, reference: &str) {
    for answer in pull(registry, reference).await {
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{reference}");
    }
}

#[tokio::test]
async fn what_another_server_changes_shows_at_the_next_pull() {
    let folder = tempfile::tempdir().unwrap();
    let (here, there) = (Registry::over_folder(folder.path()), Registry::over_folder(folder.path()));
    let (first, second) = (there.push_image("app", "1").await, there.push_image("app", "2").await);
    settle().await;
    for reference in ["1", &first.to_string()] {
        assert_pulled(&here, reference, &first).await;
    }

    let moved = there.get("/v2/app/manifests/2").await;
    there.send(Method::PUT, "/v2/app/manifests/1", &[("content-type", OCI_MANIFEST)], moved.body).await;
    assert_pulled(&here, "1", &second).await;
    settle().await;
    assert_pulled(&here, "1", &second).await;

    assert_pulled(&here, &first.to_string(), &first).await;
    there.delete(&format!("/v2/app/manifests/{first}")).await;
    assert_unknown(&here, &first.to_string()).await;
    there.delete("/v2/app/manifests/1").await;
    assert_unknown(&here, "1").await;
    assert_pulled(&here, "2", &second).await;
    std::fs::remove_dir_all(folder.path().join("docker/registry/v2/repositories/app")).unwrap();
    assert_unknown(&here, "2").await;
}

#[tokio::test]
async fn an_answer_that_is_ready_is_for_those_who_may_have_it_and_can_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let (htpasswd, access) = (folder.path().join("htpasswd"), folder.path().join("access.yml"));
    let users = ["a", "b"].map(|user| entry(user, "secret", 4).unwrap());
    std::fs::write(&htpasswd, users.join("\n")).unwrap();
    std::fs::write(&access, "rules: [{users: [a], repositories: [\"**\"], actions: [pull, push]}]").unwrap();
    let variables = [
        ("REGISTRY_AUTH_HTPASSWD_REALM", "Berth"),
        ("REGISTRY_AUTH_HTPASSWD_PATH", htpasswd.to_str().unwrap()),
        ("REGISTRY_ACCESS_PATH", access.to_str().unwrap()),
    ];
    let registry = Registry::configured_over_folder(&variables, &folder.path().join("data"));
    let a = registry.as_user("a", "secret");
    let digest = a.push_image("app", "1").await;
    settle().await;
    assert_pulled(&a, "1", &digest).await;

    let path = "/v2/app/manifests/1";
    assert_eq!(registry.get(path).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(registry.as_user("a", "wrong").get(path).await.status, StatusCode::UNAUTHORIZED);
    registry.as_user("b", "secret").get(path).await.assert_error(403, "DENIED");
    let asked = async |name: &str, value: &str| a.send(Method::GET, path, &[(name, value)], "").await.status;
    assert_eq!(asked("if-none-match", &format!("\"{digest}\"")).await, StatusCode::NOT_MODIFIED);
    assert_eq!(asked("accept", OCI_INDEX).await, StatusCode::NOT_FOUND);
    assert_eq!(asked("accept", OCI_MANIFEST).await, StatusCode::OK);
}

#[tokio::test]
async fn an_answer_that_is_ready_is_for_nobody_whose_password_has_changed_or_who_has_lost_the_right() {
    let folder = tempfile::tempdir().unwrap();
    let (htpasswd, access) = (folder.path().join("htpasswd"), folder.path().join("access.yml"));
    let set_password = |password| std::fs::write(&htpasswd, entry("a", password, 4).unwrap()).unwrap();
    let permit = |user| {
        let rules = format!("rules: [{{users: [{user}], repositories: [\"**\"], actions: [pull, push]}}]");
        std::fs::write(&access, rules).unwrap();
    };
    set_password("old");
    permit("a");
    let variables = [
        ("REGISTRY_AUTH_HTPASSWD_REALM", "Berth"),
        ("REGISTRY_AUTH_HTPASSWD_PATH", htpasswd.to_str().unwrap()),
        ("REGISTRY_ACCESS_PATH", access.to_str().unwrap()),
    ];
    let registry = Registry::configured_over_folder(&variables, &folder.path().join("data"));
    let (old, new) = (registry.as_user("a", "old"), registry.as_user("a", "new"));
    let digest = old.push_image("app", "1").await;
    settle().await;
    assert_pulled(&old, "1", &digest).await;

    set_password("new");
    registry.read_files_again();
    for answer in pull(&old, "1").await {
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
    assert_pulled(&new, "1", &digest).await;
    permit("somebody else");
    registry.read_files_again();
    for answer in pull(&new, "1").await {
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
    }
}
