//! Upstreams that are what they should be: the original registry with passwords, and ours with tokens.

use crate::fixture::{IMAGE, Server, mirror_of, noise};
use anyhow::{Result, ensure};
use berth_tests::programs::packaged;
use berth_tests::registry_process::program;
use berth_tests::registry_server::{PASSWORD, RegistryServer, Setup, USER};
use std::fs;
use std::process::Command;
use tempfile::TempDir;

const ACCEPT: &str = "Accept: application/vnd.oci.image.manifest.v1+json";

/// A file of one user, with the password that our mirrors show.
fn password_file(folder: &TempDir) -> Result<String> {
    let made = Command::new(program()?).args(["htpasswd", "-Bbn", USER, PASSWORD]).output()?;
    let path = folder.path().join("htpasswd");
    fs::write(&path, made.stdout)?;
    Ok(path.display().to_string())
}

#[test]
fn the_original_with_passwords_is_mirrored_and_then_not_needed() -> Result<()> {
    let folder = TempDir::new()?;
    let original = packaged("docker-registry")?;
    let mut upstream = Server::start_program(
        original,
        &format!("auth:\n  htpasswd: {{realm: x, path: {}}}\n", password_file(&folder)?),
    )?;
    let user = format!("{USER}:{PASSWORD}");
    let layer = noise(3 << 20);
    let digest = upstream.with_user(&user).push_image("team/app", "1", &layer)?;
    let secret = folder.path().join("password");
    fs::write(&secret, format!("{PASSWORD}\n"))?;
    let more = format!(", username: {USER}, passwordfile: {}", secret.display());
    let mirror = Server::start(&mirror_of(&upstream.url(""), &more))?;

    let manifest = mirror.ask(&["--header", ACCEPT], "/v2/hub/team/app/manifests/1")?.expect(200)?;
    ensure!(manifest.header("docker-content-digest") == Some(digest.as_str()));
    ensure!(manifest.header("warning").is_none());
    let content = crate::fixture::digest(&layer);
    let by_namespace = format!("/v2/team/app/blobs/{content}?ns=hub.example.com");
    let blob = mirror.ask(&[], &by_namespace)?.expect(200)?;
    ensure!(blob.body == layer);
    let tags = mirror.ask(&[], "/v2/hub/team/app/tags/list")?.expect(200)?.json()?;
    ensure!(tags["tags"] == serde_json::json!(["1"]));

    upstream.stop()?;
    let stale =
        mirror.ask(&["--header", ACCEPT], "/v2/team/app/manifests/1?ns=hub.example.com")?.expect(200)?;
    ensure!(stale.body == manifest.body && stale.header("warning").is_some_and(|it| it.starts_with("110 ")));
    let part = mirror.ask(&["--range", "5-9"], &format!("/v2/hub/team/app/blobs/{content}"))?.expect(206)?;
    ensure!(part.body == layer[5..10]);
    mirror.ask(&[], "/v2/hub/team/app/manifests/2")?.expect(503)?;
    Ok(())
}

#[test]
fn a_tag_that_moves_at_the_upstream_moves_here_however_often_it_was_pulled() -> Result<()> {
    let upstream = Server::start("")?;
    let mirror = Server::start(&mirror_of(&upstream.url(""), ""))?;
    for layer in ["one", "two", "three"] {
        let digest = upstream.push_image("app", "1", layer.as_bytes())?;
        for _ in 0..3 {
            let pulled = mirror.ask(&["--header", ACCEPT], "/v2/hub/app/manifests/1")?.expect(200)?;
            ensure!(pulled.header("docker-content-digest") == Some(digest.as_str()), "{layer}");
        }
    }
    Ok(())
}

#[test]
fn what_is_pushed_stands_beside_what_is_mirrored() -> Result<()> {
    let upstream = Server::start("")?;
    upstream.push_image("app", "1", b"layer of the upstream")?;
    let mirror = Server::start(&mirror_of(&upstream.url(""), ""))?;
    mirror.push_image("app", "1", b"layer of our own")?;
    let own = mirror.ask(&["--header", ACCEPT], "/v2/app/manifests/1?ns=another.example.com")?.expect(200)?;
    let mirrored =
        mirror.ask(&["--header", ACCEPT], "/v2/app/manifests/1?ns=hub.example.com")?.expect(200)?;
    ensure!(own.body != mirrored.body);
    let refused = mirror.ask(&["--request", "POST"], "/v2/hub/app/blobs/uploads/")?.expect(405)?;
    ensure!(refused.text().contains("a mirror of hub.example.com"), "{}", refused.text());
    Ok(())
}

#[test]
fn another_of_ours_gives_tokens_and_shows_its_signatures() -> Result<()> {
    let setup = Setup { more: "tokens: {enabled: true}\n".to_owned(), ..Setup::default() };
    let upstream = RegistryServer::start_as(&setup)?;
    let user = format!("{USER}:{PASSWORD}");
    let origin = Origin { server: &upstream, user: &user };
    let subject = origin.put_manifest("1", &crate::fixture::manifest(EMPTY, 2, EMPTY, 2))?;
    let signature = format!(
        r#"{{"schemaVersion":2,"mediaType":"{IMAGE}","artifactType":"application/vnd.example.signature","config":{{"mediaType":"application/vnd.oci.empty.v1+json","digest":"{EMPTY}","size":2}},"layers":[],"subject":{{"mediaType":"{IMAGE}","digest":"{subject}","size":2}}}}"#
    );
    let signature = origin.put_manifest("signature", &signature)?;
    let more = format!(", username: {USER}, password: {PASSWORD}, ca: {}", upstream.ca_file().display());
    let mirror = Server::start(&mirror_of(&upstream.url(""), &more))?;
    mirror.ask(&["--header", ACCEPT], "/v2/hub/app/manifests/1")?.expect(200)?;
    let referrers = format!("/v2/hub/app/referrers/{subject}");
    let listed = mirror.ask(&[], &referrers)?.expect(200)?.json()?;
    ensure!(listed["manifests"][0]["digest"] == serde_json::json!(signature), "{listed}");
    upstream.kill()?;
    let listed = mirror.ask(&[], &referrers)?.expect(200)?.json()?;
    ensure!(listed["manifests"][0]["digest"] == serde_json::json!(signature), "{listed}");
    mirror.ask(&["--header", ACCEPT], &format!("/v2/hub/app/manifests/{signature}"))?.expect(200)?;
    Ok(())
}

#[test]
fn rights_are_those_of_the_name_here_however_it_is_called() -> Result<()> {
    let upstream = Server::start("")?;
    upstream.push_image("secret/app", "1", b"not for everybody")?;
    let folder = TempDir::new()?;
    let rules = folder.path().join("rules.yml");
    fs::write(
        &rules,
        "rules:\n- {users: ['*'], repositories: ['hub/open/**', 'secret/**'], actions: [pull]}\n",
    )?;
    let users = password_file(&folder)?;
    let mirror = Server::start(&format!(
        "auth:\n  htpasswd: {{realm: x, path: {users}}}\naccess: {{path: {}}}\n{}",
        rules.display(),
        mirror_of(&upstream.url(""), "")
    ))?;
    let user = format!("{USER}:{PASSWORD}");
    for path in ["/v2/hub/secret/app/manifests/1", "/v2/secret/app/manifests/1?ns=hub.example.com"] {
        mirror.ask(&["--user", &user, "--header", ACCEPT], path)?.expect(403)?;
        mirror.ask(&["--header", ACCEPT], path)?.expect(401)?;
    }
    ensure!(upstream.requests("GET /v2/secret/app/manifests/1") == 0, "upstream was asked for nobody");
    Ok(())
}

#[test]
fn a_registry_that_is_a_proxy_mirrors_all_of_its_names() -> Result<()> {
    let upstream = Server::start("")?;
    upstream.push_image("library/app", "1", b"layer")?;
    let mirror = Server::start(&format!("proxy: {{remoteurl: '{}'}}\n", upstream.url("")))?;
    mirror.ask(&["--header", ACCEPT], "/v2/library/app/manifests/1")?.expect(200)?;
    mirror.ask(&["--request", "POST"], "/v2/library/app/blobs/uploads/")?.expect(405)?;
    mirror.ask(&["--header", ACCEPT], "/v2/library/other/manifests/1")?.expect(404)?;
    Ok(())
}

/// The digest of `{}`.
const EMPTY: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

/// Where signed images come from.
struct Origin<'a> {
    server: &'a RegistryServer,
    user: &'a str,
}

impl Origin<'_> {
    fn put_manifest(&self, tag: &str, manifest: &str) -> Result<String> {
        let blob = self.server.url(&format!("/v2/app/blobs/uploads/?digest={EMPTY}"));
        let octets = "Content-Type: application/octet-stream";
        let curl = || {
            let mut curl = self.server.curl();
            curl.args(["--fail", "--user", self.user]);
            curl
        };
        berth_tests::command::succeed(curl().args(["--header", octets, "--data-binary", "{}", &blob]))?;
        let url = self.server.url(&format!("/v2/app/manifests/{tag}"));
        let kind = format!("Content-Type: {IMAGE}");
        berth_tests::command::succeed(curl().args([
            "--request",
            "PUT",
            "--header",
            &kind,
            "--data-binary",
            manifest,
            &url,
        ]))?;
        Ok(crate::fixture::digest(manifest.as_bytes()))
    }
}
