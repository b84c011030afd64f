//! Pulls of blobs that are repeated: their answers are ready, and yet no other than those of the first pull would be now.

use std::path::{Path, PathBuf};

use berth_oci::Digest;
use berth_registry::auth::entry;
use hyper::{Method, StatusCode};

use crate::{
    fixture::{Answer, Registry},
    repeated_pulls::settle,
};

/// Longer than what is read at once.
const LENGTH: usize = 100_000;

fn bytes() -> Vec<u8> {
    (0..=250).cycle().take(LENGTH).collect()
}

/// A blob in `app` and `other`, of which answers may be kept ready.
async fn push(registry: &Registry) -> Digest {
    let digest = registry.push_blob("app", &bytes()).await;
    registry.push_blob("other", &bytes()).await;
    settle().await;
    digest
}

fn path(name: &str, digest: &Digest) -> String {
    format!("/v2/{name}/blobs/{digest}")
}

fn content(folder: &Path, digest: &Digest) -> PathBuf {
    let hex = digest.hex();
    folder.join(format!("docker/registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2]))
}

/// Pulls so often that the answer is ready, and returns it as `GET`, `HEAD` and a range have it.
async fn pull(registry: &Registry, path: &str) -> [Answer; 3] {
    registry.get(path).await;
    registry.head(path).await;
    [registry.get(path).await, registry.head(path).await, part(registry, path, "bytes=5-60004").await]
}

async fn part(registry: &Registry, path: &str, range: &str) -> Answer {
    registry.send(Method::GET, path, &[("range", range)], "").await
}

async fn assert_pulled(registry: &Registry, path: &str) {
    let [got, head, part] = pull(registry, path).await;
    assert_eq!((got.status, &got.body[..]), (StatusCode::OK, &bytes()[..]), "{path}");
    assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0), "{path}");
    assert_eq!((part.status, &part.body[..]), (StatusCode::PARTIAL_CONTENT, &bytes()[5..60_005]));
    for (answer, length) in [(&got, "100000"), (&head, "100000"), (&part, "60000")] {
        assert!(path.ends_with(answer.header("docker-content-digest")));
        assert_eq!(answer.header("content-length"), length);
        assert_eq!(answer.header("accept-ranges"), "bytes");
        assert_eq!(answer.header("content-type"), "application/octet-stream");
    }
    assert!(!got.headers.contains_key("content-range") && !head.headers.contains_key("content-range"));
    assert_eq!(part.header("content-range"), "bytes 5-60004/100000");
}

async fn assert_unknown(registry: &Registry, path: &str) {
    for answer in pull(registry, path).await {
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn a_blob_that_another_server_deletes_is_gone_at_the_next_pull_and_only_there() {
    let folder = tempfile::tempdir().unwrap();
    let (here, there) = (Registry::over_folder(folder.path()), Registry::over_folder(folder.path()));
    let digest = push(&there).await;
    for name in ["app", "other"] {
        assert_pulled(&here, &path(name, &digest)).await;
    }
    there.delete(&path("app", &digest)).await;
    assert_unknown(&here, &path("app", &digest)).await;
    assert_pulled(&here, &path("other", &digest)).await;
    assert_unknown(&here, &path("third", &digest)).await;

    there.push_blob("app", &bytes()).await;
    assert_pulled(&here, &path("app", &digest)).await;
    settle().await;
    assert_pulled(&here, &path("app", &digest)).await;
}

#[tokio::test]
async fn content_that_was_set_aside_is_missed_at_the_next_pull_and_found_when_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::over_folder(folder.path());
    let digest = push(&registry).await;
    let (content, path) = (content(folder.path(), &digest), path("app", &digest));
    assert_pulled(&registry, &path).await;
    let aside = content.with_extension("aside");
    std::fs::rename(&content, &aside).unwrap();
    assert_unknown(&registry, &path).await;
    std::fs::rename(&aside, &content).unwrap();
    assert_pulled(&registry, &path).await;
}

#[tokio::test]
async fn content_that_somebody_has_cut_is_told_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::over_folder(folder.path());
    let digest = push(&registry).await;
    let path = path("app", &digest);
    assert_pulled(&registry, &path).await;
    std::fs::write(content(folder.path(), &digest), &bytes()[..50_000]).unwrap();
    let [got, head, part] = pull(&registry, &path).await;
    assert_eq!((got.body.len(), head.header("content-length")), (50_000, "50000"));
    assert_eq!(part.header("content-range"), "bytes 5-49999/50000");
}

#[tokio::test]
async fn whoever_pulls_what_is_collected_meanwhile_gets_all_of_it_or_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let htpasswd = folder.path().join("htpasswd");
    std::fs::write(&htpasswd, entry("admin", "secret", 4).unwrap()).unwrap();
    let variables = [
        ("REGISTRY_AUTH_HTPASSWD_REALM", "Berth"),
        ("REGISTRY_AUTH_HTPASSWD_PATH", htpasswd.to_str().unwrap()),
    ];
    let data = folder.path().join("data");
    let server = || Registry::configured_over_folder(&variables, &data).as_user("admin", "secret");
    let (here, there) = (server(), server());
    let digest = push(&there).await;
    assert_pulled(&here, &path("app", &digest)).await;
    there.post("/v2/_berth/garbage-collection", r#"{"minimumAgeSeconds": 0, "finish": true}"#).await;
    while content(&data, &digest).exists() {
        let got = here.get(&path("app", &digest)).await;
        let is_whole = (got.status, &got.body[..]) == (StatusCode::OK, &bytes()[..]);
        assert!(is_whole || got.status == StatusCode::NOT_FOUND);
        tokio::task::yield_now().await;
    }
    assert_unknown(&here, &path("app", &digest)).await;
}

#[tokio::test]
async fn every_form_of_range_is_answered_as_the_first_pull_was() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::over_folder(folder.path());
    let digest = push(&registry).await;
    let (path, bytes) = (path("app", &digest), bytes());
    let fresh = part(&registry, &path, "bytes=0-9").await;
    assert_pulled(&registry, &path).await;
    assert_eq!(part(&registry, &path, "bytes=0-9").await.headers.len(), fresh.headers.len());
    for (range, expected) in [
        ("bytes=0-0", &bytes[..1]),
        ("bytes=-7", &bytes[99_993..]),
        ("bytes=-200000", &bytes[..]),
        ("bytes=99000-", &bytes[99_000..]),
        ("bytes=99999-200000", &bytes[99_999..]),
    ] {
        let answer = part(&registry, &path, range).await;
        assert_eq!((answer.status, &answer.body[..]), (StatusCode::PARTIAL_CONTENT, expected), "{range}");
    }
    for range in ["bytes=0-1,3-4", "lines=1-2", "bytes=a-b"] {
        let answer = part(&registry, &path, range).await;
        assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, LENGTH), "{range}");
    }
    for range in ["bytes=100000-", "bytes=-0", "bytes=4-2"] {
        let answer = part(&registry, &path, range).await;
        answer.assert_error(416, "RANGE_INVALID");
        assert_eq!(answer.header("content-range"), "bytes */100000", "{range}");
    }
}

#[tokio::test]
async fn a_client_that_has_the_blob_or_a_part_of_another_is_known_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::over_folder(folder.path());
    let digest = push(&registry).await;
    let path = path("app", &digest);
    assert_pulled(&registry, &path).await;
    let tag = format!("\"{digest}\"");
    let ask = async |method, headers: &[(&str, &str)]| registry.send(method, &path, headers, "").await;
    for method in [Method::GET, Method::HEAD] {
        let answer = ask(method, &[("if-none-match", &tag)]).await;
        assert_eq!((answer.status, answer.body.len()), (StatusCode::NOT_MODIFIED, 0));
        assert_eq!((answer.header("etag"), answer.header("cache-control")), (&tag[..], "max-age=31536000"));
    }
    for (only_of, expected) in [(&tag[..], StatusCode::PARTIAL_CONTENT), ("\"another\"", StatusCode::OK)] {
        let answer = ask(Method::GET, &[("range", "bytes=2-4"), ("if-range", only_of)]).await;
        assert_eq!(answer.status, expected, "{only_of}");
    }
    std::fs::remove_file(content(folder.path(), &digest)).unwrap();
    assert_eq!(ask(Method::GET, &[("if-none-match", &tag)]).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_answer_that_is_ready_is_for_those_who_may_have_it() {
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
    let digest = push(&a).await;
    let path = path("app", &digest);
    assert_pulled(&a, &path).await;

    for answer in pull(&registry, &path).await {
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert!(answer.headers.contains_key("www-authenticate"));
    }
    for answer in pull(&registry.as_user("a", "wrong"), &path).await {
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
    for answer in pull(&registry.as_user("b", "secret"), &path).await {
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
    }
    assert_pulled(&a, &path).await;
}

#[tokio::test]
async fn a_registry_that_only_reads_serves_what_it_has_ready() {
    let folder = tempfile::tempdir().unwrap();
    let digest = push(&Registry::over_folder(folder.path())).await;
    let variables = [("REGISTRY_STORAGE_MAINTENANCE_READONLY_ENABLED", "true")];
    let registry = Registry::configured_over_folder(&variables, folder.path());
    for _ in 0..2 {
        assert_pulled(&registry, &path("app", &digest)).await;
    }
    assert_ne!(registry.delete(&path("app", &digest)).await.status, StatusCode::ACCEPTED);
    assert_pulled(&registry, &path("app", &digest)).await;
}
