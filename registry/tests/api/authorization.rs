//! Access rules.

use berth_registry::auth::entry;
use hyper::StatusCode;
use serde_json::json;

use crate::fixture::Registry;

const RULES: &str = r#"
rules:
  - {users: [admin], repositories: ["**"], actions: [pull, push, delete, administer]}
  - {users: [reader], repositories: ["**"], actions: [pull]}
  - {users: ["*"], repositories: ["team/**"], actions: [pull, push]}
"#;

/// A registry with the users of the rules, whose passwords are all `secret`.
pub(crate) struct Guarded {
    registry: Registry,
    _folder: tempfile::TempDir,
}

impl Guarded {
    pub(crate) fn new() -> Self {
        Self::configured(&[])
    }

    /// The same with more variables of the environment.
    pub(crate) fn configured(more: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (htpasswd, access) = (folder.path().join("htpasswd"), folder.path().join("access.yml"));
        let users = ["admin", "reader", "ci"].map(|user| entry(user, "secret", 4).unwrap());
        std::fs::write(&htpasswd, users.join("\n")).unwrap();
        std::fs::write(&access, RULES).unwrap();
        let own = [
            ("REGISTRY_AUTH_HTPASSWD_REALM", "Berth"),
            ("REGISTRY_AUTH_HTPASSWD_PATH", htpasswd.to_str().unwrap()),
            ("REGISTRY_ACCESS_PATH", access.to_str().unwrap()),
        ];
        let registry = Registry::configured(&[&own, more].concat());
        Self { registry, _folder: folder }
    }

    pub(crate) fn user(&self, name: &str) -> Registry {
        self.registry.as_user(name, "secret")
    }
}

#[tokio::test]
async fn a_user_without_the_right_is_refused_with_its_name_and_the_right() {
    let guarded = Guarded::new();
    let answer = guarded.user("reader").post("/v2/team/app/blobs/uploads/", "").await;
    answer.assert_error(403, "DENIED");
    assert!(answer.text().contains("reader may not push in the repository team/app"), "{}", answer.text());
    let lacking = json!([{ "Type": "repository", "Class": "", "Name": "team/app", "Action": "push" }]);
    assert_eq!(answer.json()["errors"][0]["detail"], lacking);
}

#[tokio::test]
async fn each_action_needs_its_right() {
    let guarded = Guarded::new();
    let digest = guarded.user("ci").push_image("team/app", "latest").await;
    let manifest = format!("/v2/team/app/manifests/{digest}");
    assert_eq!(guarded.user("reader").get(&manifest).await.status, StatusCode::OK);
    guarded.user("ci").delete(&manifest).await.assert_error(403, "DENIED");
    guarded.user("ci").get("/v2/other/tags/list").await.assert_error(403, "DENIED");
    assert_eq!(guarded.user("admin").delete(&manifest).await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn a_mount_from_where_the_user_may_not_pull_becomes_an_upload() {
    let guarded = Guarded::new();
    let digest = guarded.user("admin").push_blob("private", b"hidden").await;
    let path = format!("/v2/team/app/blobs/uploads/?mount={digest}&from=private");
    assert_eq!(guarded.user("ci").post(&path, "").await.status, StatusCode::ACCEPTED);
    assert_eq!(guarded.user("admin").post(&path, "").await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_mount_from_anywhere_looks_only_where_the_user_may_pull() {
    let guarded = Guarded::new();
    let digest = guarded.user("admin").push_blob("private", b"hidden").await;
    let path = format!("/v2/team/app/blobs/uploads/?mount={digest}");
    assert_eq!(guarded.user("ci").post(&path, "").await.status, StatusCode::ACCEPTED);
    guarded.user("admin").push_blob("team/base", b"hidden").await;
    assert_eq!(guarded.user("ci").post(&path, "").await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn the_catalog_shows_what_the_user_may_pull() {
    let guarded = Guarded::new();
    for name in ["private", "team/app"] {
        guarded.user("admin").push_image(name, "latest").await;
    }
    let seen = guarded.user("ci").get("/v2/_catalog").await.json();
    assert_eq!(seen, json!({ "repositories": ["team/app"] }));
    let all = guarded.user("reader").get("/v2/_catalog").await.json();
    assert_eq!(all, json!({ "repositories": ["private", "team/app"] }));
}

#[tokio::test]
async fn the_garbage_collection_needs_an_administrator() {
    let guarded = Guarded::new();
    let path = "/v2/_berth/garbage-collection";
    guarded.user("ci").post(path, "").await.assert_error(403, "DENIED");
    assert_eq!(guarded.user("admin").get(path).await.status, StatusCode::OK);
}
