//! Two teams that share a registry: neither reaches the repositories of the other by any endpoint, nor learns what is there.

use berth_registry::auth::entry;
use hyper::{Method, StatusCode};
use serde_json::json;

use crate::fixture::{Answer, OCI_MANIFEST, Registry, absent, descriptor, digest_of};

const RULES: &str = r#"
rules:
  - {users: [admin], repositories: ["**"], actions: [pull, push, delete, administer]}
  - {users: [a], repositories: ["team-a/**"], actions: [pull, push, delete]}
  - {users: [b], repositories: ["team-b/**"], actions: [pull, push, delete]}
"#;

struct Teams {
    registry: Registry,
    _folder: tempfile::TempDir,
}

impl Teams {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (htpasswd, access) = (folder.path().join("htpasswd"), folder.path().join("access.yml"));
        let users = ["admin", "a", "b", "nobody"].map(|user| entry(user, "secret", 4).unwrap());
        std::fs::write(&htpasswd, users.join("\n")).unwrap();
        std::fs::write(&access, RULES).unwrap();
        let registry = Registry::configured(&[
            ("REGISTRY_AUTH_HTPASSWD_REALM", "Berth"),
            ("REGISTRY_AUTH_HTPASSWD_PATH", htpasswd.to_str().unwrap()),
            ("REGISTRY_ACCESS_PATH", access.to_str().unwrap()),
            ("REGISTRY_TOKENS_ENABLED", "true"),
        ]);
        Self { registry, _folder: folder }
    }

    fn user(&self, name: &str) -> Registry {
        self.registry.as_user(name, "secret")
    }

    /// Sends a request with a token for whatever the user may do to a repository.
    async fn with_token(&self, user: &str, repository: &str, method: Method, path: &str) -> Answer {
        let question = format!("/token?service=registry&scope=repository:{repository}:*");
        let token = self.user(user).get(&question).await.json()["token"].as_str().unwrap().to_owned();
        let bearer = format!("Bearer {token}");
        self.registry.send(method, path, &[("authorization", &bearer)], "").await
    }
}

/// Every endpoint of a repository, with a digest of something in it.
fn endpoints(name: &str, digest: &str) -> Vec<(Method, String)> {
    let blob = format!("blobs/{digest}");
    let manifest = format!("manifests/{digest}");
    let upload = "blobs/uploads/6f8b1f2e-3b6c-4d5e-8f90-123456789abc";
    let all = [
        (Method::GET, blob.as_str()),
        (Method::HEAD, &blob),
        (Method::DELETE, &blob),
        (Method::POST, "blobs/uploads/"),
        (Method::POST, &format!("blobs/uploads/?digest={digest}")),
        (Method::POST, &format!("blobs/uploads/?mount={digest}&from=team-a/app")),
        (Method::GET, upload),
        (Method::PATCH, upload),
        (Method::PUT, &format!("{upload}?digest={digest}")),
        (Method::DELETE, upload),
        (Method::GET, &manifest),
        (Method::HEAD, &manifest),
        (Method::PUT, &manifest),
        (Method::DELETE, &manifest),
        (Method::GET, "manifests/1"),
        (Method::HEAD, "manifests/1"),
        (Method::PUT, "manifests/1"),
        (Method::DELETE, "manifests/1"),
        (Method::GET, "tags/list"),
        (Method::GET, &format!("referrers/{digest}")),
        (Method::GET, "_oci/ext/discover"),
        (Method::POST, "_berth/copy?from=team-a/app&reference=1"),
        (Method::DELETE, "_berth/repository"),
        (Method::POST, "_berth/restore"),
        (Method::GET, "_berth/tags"),
        (Method::GET, "_berth/trash"),
        (Method::DELETE, "_berth/trash"),
    ];
    all.into_iter().map(|(method, path)| (method, format!("/v2/{name}/{path}"))).collect()
}

#[tokio::test]
async fn no_endpoint_of_another_teams_repository_opens_or_tells_whether_it_exists() {
    let teams = Teams::new();
    teams.user("a").push_image("team-a/app", "1").await;
    let digest = teams.user("b").push_image("team-b/app", "1").await.to_string();
    let there = endpoints("team-b/app", &digest);
    let not_there = endpoints("team-b/non", &absent().to_string());
    for user in ["a", "nobody"] {
        for ((method, path), (_, other)) in there.iter().zip(&not_there) {
            let found = teams.user(user).send(method.clone(), path, &[], "").await;
            assert_eq!(found.status, StatusCode::FORBIDDEN, "{user} {method} {path}: {}", found.text());
            let missing = teams.user(user).send(method.clone(), other, &[], "").await;
            assert_eq!(found.status, missing.status, "{user} {method} {path}");
            assert_eq!(found.text(), missing.text().replace("team-b/non", "team-b/app"), "{method} {path}");
        }
    }
    assert_eq!(
        teams.user("b").get("/v2/team-b/app/manifests/1").await.status,
        StatusCode::OK,
        "all is there"
    );
}

#[tokio::test]
async fn a_token_opens_no_more_than_the_password() {
    let teams = Teams::new();
    teams.user("a").push_image("team-a/app", "1").await;
    let digest = teams.user("b").push_image("team-b/app", "1").await.to_string();
    for (method, path) in endpoints("team-b/app", &digest) {
        let answer = teams.with_token("a", "team-b/app", method.clone(), &path).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method} {path}: {}", answer.text());
    }
    let own = teams.with_token("a", "team-a/app", Method::GET, "/v2/team-a/app/tags/list").await;
    assert_eq!(own.status, StatusCode::OK);
}

#[tokio::test]
async fn what_concerns_all_repositories_is_for_administrators() {
    let teams = Teams::new();
    for (method, path) in [
        (Method::GET, "garbage-collection"),
        (Method::POST, "garbage-collection"),
        (Method::GET, "read-only"),
        (Method::PUT, "read-only"),
        (Method::DELETE, "read-only"),
        (Method::POST, "referrers/rebuild"),
        (Method::POST, "retention"),
    ] {
        let answer = teams.user("a").send(method.clone(), &format!("/v2/_berth/{path}"), &[], "").await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method} {path}");
    }
}

#[tokio::test]
async fn content_of_another_team_is_unknown_in_ones_own_repository() {
    let teams = Teams::new();
    let secret = teams.user("b").push_blob("team-b/app", b"secret").await;
    let image = teams.user("b").push_image("team-b/app", "1").await;
    let a = teams.user("a");
    // Another image, so that nothing of the other one is here.
    a.push_image("team-a/app", "2").await;
    for digest in [secret, image, absent()] {
        a.get(&format!("/v2/team-a/app/blobs/{digest}")).await.assert_error(404, "BLOB_UNKNOWN");
        a.get(&format!("/v2/team-a/app/manifests/{digest}")).await.assert_error(404, "MANIFEST_UNKNOWN");
        let known = [("if-none-match", format!("\"{digest}\""))];
        let known = known.each_ref().map(|(name, value)| (*name, value.as_str()));
        let path = format!("/v2/team-a/app/blobs/{digest}");
        assert_eq!(a.send(Method::GET, &path, &known, "").await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn a_manifest_cannot_take_blobs_that_the_repository_does_not_have() {
    let teams = Teams::new();
    teams.user("b").push_blob("team-b/app", b"secret").await;
    let a = teams.user("a");
    a.push_blob("team-a/app", b"{}").await;
    let of = |layer: &[u8]| {
        json!({
            "schemaVersion": 2, "mediaType": OCI_MANIFEST,
            "config": descriptor("application/vnd.oci.image.config.v1+json", b"{}"),
            "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", layer)],
        })
    };
    for layer in [&b"secret"[..], b"nothing that anybody has"] {
        let refused = a.push_manifest("team-a/app", "1", &of(layer)).await;
        refused.assert_error(404, "MANIFEST_BLOB_UNKNOWN");
    }
}

#[tokio::test]
async fn a_mount_from_another_team_looks_like_one_of_what_nobody_has() {
    let teams = Teams::new();
    let secret = teams.user("b").push_blob("team-b/app", b"secret").await;
    let a = teams.user("a");
    for from in ["&from=team-b/app", "&from=team-b/non", ""] {
        for digest in [secret, absent()] {
            let answer = a.post(&format!("/v2/team-a/app/blobs/uploads/?mount={digest}{from}"), "").await;
            assert_eq!(answer.status, StatusCode::ACCEPTED, "{from} {digest}");
            assert!(answer.location_path().starts_with("/v2/team-a/app/blobs/uploads/"));
        }
    }
    let head = format!("/v2/team-a/app/blobs/{secret}");
    assert_eq!(a.head(&head).await.status, StatusCode::NOT_FOUND, "nothing was mounted");
}

#[tokio::test]
async fn nothing_is_copied_out_of_or_into_repositories_of_another_team() {
    let teams = Teams::new();
    teams.user("a").push_image("team-a/app", "1").await;
    let image = teams.user("b").push_image("team-b/app", "1").await;
    for source in ["team-b/app", "team-b/non"] {
        for reference in ["1".to_owned(), image.to_string()] {
            let path = format!("/v2/team-a/app/_berth/copy?from={source}&reference={reference}&tag=2");
            let refused = teams.user("a").post(&path, "").await;
            refused.assert_error(403, "DENIED");
            assert!(refused.text().contains(&format!("a may not pull in the repository {source}")));
        }
    }
    let into = "/v2/team-b/app/_berth/copy?from=team-a/app&reference=1&tag=2";
    teams.user("a").post(into, "").await.assert_error(403, "DENIED");
    assert_eq!(teams.user("b").get("/v2/team-b/app/tags/list").await.json()["tags"], json!(["1"]));
}

#[tokio::test]
async fn an_upload_is_known_in_its_own_repository_only() {
    let teams = Teams::new();
    let begun = teams.user("b").post("/v2/team-b/app/blobs/uploads/", "").await;
    let upload = begun.location_path();
    let upload = upload.rsplit('/').next().unwrap();
    let a = teams.user("a");
    a.push_blob("team-a/app", b"x").await;
    let path = format!("/v2/team-a/app/blobs/uploads/{upload}");
    for method in [Method::GET, Method::PATCH, Method::DELETE] {
        let answer = a.send(method.clone(), &path, &[], "").await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method}: {}", answer.text());
    }
    let digest = digest_of(b"");
    let ended = a.put(&format!("{path}?digest={digest}"), "").await;
    assert_eq!(ended.status, StatusCode::NOT_FOUND, "{}", ended.text());
}

#[tokio::test]
async fn lists_hold_what_is_ones_own() {
    let teams = Teams::new();
    teams.user("a").push_image("team-a/app", "1").await;
    let image = teams.user("b").push_image("team-b/app", "1").await;
    for path in ["/v2/_catalog", "/v2/_catalog?n=1", "/v2/_catalog?last=team-a"] {
        let seen = teams.user("a").get(path).await;
        assert_eq!(seen.json(), json!({ "repositories": ["team-a/app"] }), "{path}");
        assert!(!seen.headers.contains_key("link"), "{path}: a next page would tell of more");
    }
    assert_eq!(
        teams.user("a").get("/v2/_catalog?last=team-a/app").await.json(),
        json!({ "repositories": [] })
    );
    assert_eq!(teams.user("nobody").get("/v2/_catalog").await.json(), json!({ "repositories": [] }));
    let referrers = teams.user("a").get(&format!("/v2/team-a/app/referrers/{image}")).await;
    assert_eq!(referrers.json()["manifests"], json!([]));
}
