//! Our own tokens: the endpoint that gives them, and the challenge that leads there.

use berth_registry::auth::entry;
use hyper::{Method, StatusCode};
use serde_json::json;

use crate::fixture::{Answer, Registry, basic};

const RULES: &str = r#"
rules:
  - {users: [bob], repositories: ["team/**"], actions: [pull, push]}
  - {users: [bob], anonymous: true, repositories: ["public/**"], actions: [pull]}
"#;

const QUESTION: &str = r#"Bearer realm="http://hub.example.com/token",service="registry""#;

struct Site {
    registry: Registry,
    _folder: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        Self::configured(&[])
    }

    fn configured(more: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (htpasswd, access) = (folder.path().join("htpasswd"), folder.path().join("access.yml"));
        std::fs::write(&htpasswd, entry("bob", "secret", 4).unwrap()).unwrap();
        std::fs::write(&access, RULES).unwrap();
        let own = [
            ("REGISTRY_AUTH_HTPASSWD_REALM", "Berth"),
            ("REGISTRY_AUTH_HTPASSWD_PATH", htpasswd.to_str().unwrap()),
            ("REGISTRY_ACCESS_PATH", access.to_str().unwrap()),
            ("REGISTRY_TOKENS_ENABLED", "true"),
        ];
        Self { registry: Registry::configured(&[&own, more].concat()), _folder: folder }
    }

    async fn ask(&self, query: &str, password: Option<&str>) -> Answer {
        let authorization = password.map(|password| basic("bob", password)).unwrap_or_default();
        let header = [("authorization", authorization.as_str())];
        let headers = if password.is_some() { &header[..] } else { &[] };
        self.registry.send(Method::GET, &format!("/token?service=registry{query}"), headers, "").await
    }

    async fn post(&self, form: &str) -> Answer {
        let form = form.to_owned();
        let media_type = [("content-type", "application/x-www-form-urlencoded")];
        self.registry.send(Method::POST, "/token", &media_type, form).await
    }

    async fn send(&self, method: Method, path: &str, token: &str) -> Answer {
        let bearer = format!("Bearer {token}");
        self.registry.send(method, path, &[("authorization", &bearer)], "").await
    }
}

fn token(answer: &Answer) -> String {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    answer.json()["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn clients_are_sent_to_the_endpoint_and_a_password_still_opens() {
    let site = Site::new();
    let answer = site.registry.get("/v2/team/app/tags/list").await;
    answer.assert_error(401, "UNAUTHORIZED");
    let expected = format!(r#"{QUESTION},scope="repository:team/app:pull""#);
    assert_eq!(answer.header("www-authenticate"), expected);
    assert_eq!(answer.headers.get_all("www-authenticate").iter().count(), 1);
    assert_eq!(site.registry.as_user("bob", "secret").get("/v2/").await.status, StatusCode::OK);
    let wrong = site.registry.as_user("bob", "guess").get("/v2/").await;
    wrong.assert_error(401, "UNAUTHORIZED");
    assert_eq!(wrong.header("www-authenticate"), r#"Basic realm="Berth""#);
}

/// As the operator configures it: behind a proxy and beside it at the same time.
#[tokio::test]
async fn whoever_comes_through_a_proxy_is_sent_to_the_endpoint_and_to_uploads_by_the_same_way() {
    let site = Site::configured(&[("REGISTRY_HTTP_RELATIVEURLS", "true")]);
    let proxied = [("x-forwarded-proto", "https"), ("x-forwarded-host", "public.example.com:8443")];
    let answer = site.registry.send(Method::GET, "/v2/", &proxied, "").await;
    let realm = r#"Bearer realm="https://public.example.com:8443/token",service="registry""#;
    assert_eq!(answer.header("www-authenticate"), realm);
    assert_eq!(site.registry.get("/v2/").await.header("www-authenticate"), QUESTION);
    let password = basic("bob", "secret");
    let headers = [&proxied[..], &[("authorization", password.as_str())]].concat();
    let started = site.registry.send(Method::POST, "/v2/team/app/blobs/uploads/", &headers, "").await;
    assert!(started.header("location").starts_with("/v2/team/app/blobs/uploads/"));
}

#[tokio::test]
async fn a_password_gets_a_token_for_what_its_user_may_do() {
    let site = Site::new();
    let answer =
        site.ask("&scope=repository:team/app:pull,push&account=bob&client_id=test", Some("secret")).await;
    let body = answer.json();
    assert_eq!(body["access_token"], body["token"]);
    assert_eq!(body["expires_in"], json!(300));
    assert!(body["issued_at"].as_str().unwrap().ends_with('Z') && body["refresh_token"].is_null());
    assert_eq!(answer.header("cache-control"), "no-store");
    let token = token(&answer);
    let started = site.send(Method::POST, "/v2/team/app/blobs/uploads/", &token).await;
    assert_eq!(started.status, StatusCode::ACCEPTED);
    let lacking = site.send(Method::POST, "/v2/team/other/blobs/uploads/", &token).await;
    lacking.assert_error(401, "UNAUTHORIZED");
    let question =
        format!(r#"{QUESTION},scope="repository:team/other:pull,push",error="insufficient_scope""#);
    assert_eq!(lacking.header("www-authenticate"), question);
    // Another token would not help.
    let forbidden = site.send(Method::POST, "/v2/private/blobs/uploads/", &token).await;
    forbidden.assert_error(403, "DENIED");
    assert!(forbidden.text().contains("bob may not pull in the repository private"), "{}", forbidden.text());
}

#[tokio::test]
async fn without_a_password_there_is_a_token_for_what_everybody_may_do() {
    let site = Site::new();
    let token =
        token(&site.ask("&scope=repository:public/app:pull&scope=repository:team/app:pull", None).await);
    assert_eq!(site.send(Method::GET, "/v2/", &token).await.status, StatusCode::OK);
    let public = site.send(Method::GET, "/v2/public/app/tags/list", &token).await;
    public.assert_error(404, "NAME_UNKNOWN");
    site.send(Method::GET, "/v2/team/app/tags/list", &token).await.assert_error(401, "UNAUTHORIZED");
    site.send(Method::GET, "/v2/_catalog", &token).await.assert_error(401, "UNAUTHORIZED");
}

#[tokio::test]
async fn a_wrong_password_gets_none_and_guessing_is_slowed() {
    let site = Site::new();
    let wrong = site.ask("", Some("guess")).await;
    wrong.assert_error(401, "UNAUTHORIZED");
    assert_eq!(wrong.header("www-authenticate"), r#"Basic realm="Berth""#);
    site.post("grant_type=password&username=bob&password=guess").await.assert_error(401, "UNAUTHORIZED");
    site.post("grant_type=password").await.assert_error(401, "UNAUTHORIZED");
    let guesses: Vec<_> = (0..20).map(|guess| guess.to_string()).collect();
    let mut answers: futures::stream::FuturesUnordered<_> =
        guesses.iter().map(|guess| site.ask("", Some(guess))).collect();
    let sent_away = loop {
        let answer = futures::StreamExt::next(&mut answers).await.unwrap();
        if answer.status != StatusCode::UNAUTHORIZED {
            break answer;
        }
    };
    sent_away.assert_error(429, "TOOMANYREQUESTS");
}

#[tokio::test]
async fn a_refresh_token_gets_the_next_token() {
    let site = Site::new();
    let first = site.ask("&offline_token=true", Some("secret")).await.json();
    let refresh_token = first["refresh_token"].as_str().unwrap();
    let scope = "scope=repository:team/app:pull+repository:public/app:pull";
    let form = format!("grant_type=refresh_token&service=registry&client_id=a&{scope}&refresh_token=");
    let next = token(&site.post(&format!("{form}{refresh_token}")).await);
    site.send(Method::GET, "/v2/team/app/tags/list", &next).await.assert_error(404, "NAME_UNKNOWN");
    site.send(Method::GET, "/v2/", refresh_token).await.assert_error(401, "UNAUTHORIZED");
    for wrong in ["", "secret", &next] {
        site.post(&format!("{form}{wrong}")).await.assert_error(401, "UNAUTHORIZED");
    }
    let by_password = site.post("grant_type=password&username=bob&password=secret&access_type=offline").await;
    assert!(by_password.json()["refresh_token"].is_string());
}

#[tokio::test]
async fn what_cannot_be_asked_for_is_refused() {
    let site = Site::new();
    let many = "&scope=repository:a:pull".repeat(101);
    site.ask(&many, None).await.assert_error(400, "UNSUPPORTED");
    let other = site.registry.get("/token?service=elsewhere").await;
    other.assert_error(400, "UNSUPPORTED");
    site.post("grant_type=client_credentials").await.assert_error(400, "UNSUPPORTED");
    site.post(&"x".repeat(70_000)).await.assert_error(413, "UNSUPPORTED");
}

#[tokio::test]
async fn no_tokens_are_given_unless_that_is_switched_on() {
    let site = Site::configured(&[("REGISTRY_TOKENS_ENABLED", "false")]);
    site.ask("", Some("secret")).await.assert_error(404, "UNSUPPORTED");
    site.post("grant_type=password&username=bob&password=secret").await.assert_error(404, "UNSUPPORTED");
    let asked = site.registry.get("/v2/").await;
    assert_eq!(asked.header("www-authenticate"), r#"Basic realm="Berth""#);
}

#[tokio::test]
async fn the_endpoint_has_the_prefix_and_the_host_that_clients_know() {
    let site = Site::configured(&[("REGISTRY_HTTP_PREFIX", "/inner/")]);
    let asked = site.registry.get("/inner/v2/").await;
    assert!(asked.header("www-authenticate").contains(r#"realm="http://hub.example.com/inner/token""#));
    token(&site.registry.get("/inner/token").await);
    let site = Site::configured(&[
        ("REGISTRY_HTTP_HOST", "https://hub.example.org"),
        ("REGISTRY_HTTP_PREFIX", "/inner"),
        ("REGISTRY_HTTP_RELATIVEURLS", "true"),
    ]);
    let asked = site.registry.get("/inner/v2/").await;
    assert!(asked.header("www-authenticate").contains(r#"realm="https://hub.example.org/inner/token""#));
}

#[tokio::test]
async fn over_an_encrypted_connection_the_question_leads_to_an_encrypted_address() {
    let encrypted = Site::new().registry.over_tls();
    let question = QUESTION.replace("http://", "https://");
    let asked = encrypted.get("/v2/").await;
    assert_eq!(asked.header("www-authenticate"), question);
    // What is refused at once is told the same.
    let refused = encrypted.send(Method::GET, "/v2/", &[("authorization", "Bearer nonsense")], "").await;
    assert_eq!(refused.header("www-authenticate"), format!(r#"{question},error="invalid_token""#));
}
