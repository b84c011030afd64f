//! A registry whose images lie in a bucket: ours, and the original on the same bucket before and after.

use crate::SERVER;
use anyhow::Result;
use berth_tests::command::succeed;
use berth_tests::http::{Answer, ask};
use berth_tests::programs::packaged;
use berth_tests::registry_process::{RegistryProcess, free_port, program};
use berth_tests::s3_server::S3Server;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// A configuration that both registries take, and room for files.
struct Site {
    folder: TempDir,
    port: u16,
}

impl Site {
    /// A site with the folder `root` of the bucket.
    fn new(s3: &S3Server, root: &str) -> Result<Self> {
        let site = Self { folder: TempDir::new()?, port: free_port()? };
        let section = S3Server::section(&s3.url(), root);
        fs::write(
            site.config(),
            format!(
                "version: 0.1\nstorage:\n  s3: {section}\n  delete: {{enabled: true}}\n  redirect: {{disable: true}}\n\
                 http: {{addr: '127.0.0.1:{}', secret: shared by both}}\n",
                site.port
            ),
        )?;
        Ok(site)
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("config.yml")
    }

    fn serve(&self, program: PathBuf) -> Result<RegistryProcess> {
        let mut serve = Command::new(program);
        serve.env_clear().arg("serve").arg(self.config());
        let process = RegistryProcess::start(&mut serve, &self.folder.path().join("log"))?;
        process.wait_for(|| {
            let mut curl = Command::new("curl");
            curl.args(["--silent", "--fail", &self.url("/v2/")]);
            curl
        })?;
        Ok(process)
    }

    fn url(&self, path: &str) -> String {
        if path.starts_with('/') { format!("http://localhost:{}{path}", self.port) } else { path.to_owned() }
    }

    fn ask(&self, arguments: &[&str], path: &str) -> Result<Answer> {
        ask(Command::new("curl").args(arguments).arg(self.url(path)))
    }

    fn send(&self, method: &str, path: &str, media_type: &str, body: &[u8]) -> Result<Answer> {
        let file = self.folder.path().join("body");
        fs::write(&file, body)?;
        let (data, media_type) = (format!("@{}", file.display()), format!("Content-Type: {media_type}"));
        self.ask(&["--request", method, "--header", &media_type, "--data-binary", &data], path)
    }

    /// Pushes a blob as docker does: its bytes first, then its digest.
    fn push_blob(&self, name: &str, content: &[u8]) -> Result<()> {
        let started = self.ask(&["--request", "POST"], &format!("/v2/{name}/blobs/uploads/"))?.expect(202)?;
        let place = started.header("location").unwrap_or_default().to_owned();
        let sent = self.send("PATCH", &place, "application/octet-stream", content)?.expect(202)?;
        let place = sent.header("location").unwrap_or_default();
        let place =
            format!("{place}{}digest={}", if place.contains('?') { '&' } else { '?' }, digest(content));
        self.ask(&["--request", "PUT"], &place)?.expect(201).map(drop)
    }

    /// Pushes an image with one layer.
    fn push(&self, name: &str, tag: &str, layer: &[u8]) -> Result<()> {
        let config = b"{}";
        self.push_blob(name, config)?;
        self.push_blob(name, layer)?;
        let descriptor = |media_type: &str, content: &[u8]| json!({"mediaType": media_type, "digest": digest(content), "size": content.len()});
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptor("application/vnd.oci.image.config.v1+json", config),
            "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", layer)],
        });
        let path = format!("/v2/{name}/manifests/{tag}");
        self.send("PUT", &path, MANIFEST, manifest.to_string().as_bytes())?.expect(201).map(drop)
    }

    fn assert_has(&self, name: &str, tag: &str, layer: &[u8]) -> Result<()> {
        let accept = format!("Accept: {MANIFEST}");
        let manifest =
            self.ask(&["--header", &accept], &format!("/v2/{name}/manifests/{tag}"))?.expect(200)?.json()?;
        assert_eq!(manifest["layers"][0]["digest"], digest(layer));
        let blob = format!("/v2/{name}/blobs/{}", digest(layer));
        assert!(self.ask(&[], &blob)?.expect(200)?.body == layer);
        let range = self.ask(&["--header", "Range: bytes=10-19"], &blob)?.expect(206)?;
        assert_eq!(range.body, layer[10..20]);
        Ok(())
    }

    fn command(&self, arguments: &[&str]) -> Result<String> {
        succeed(Command::new(program()?).env_clear().args(arguments).arg(self.config()))
    }
}

fn digest(content: &[u8]) -> String {
    let hash = Sha256::digest(content);
    hash.iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

fn layer(letter: u8, length: usize) -> Vec<u8> {
    let letters = (letter..=b'z').cycle();
    letters.enumerate().map(|(at, letter)| letter ^ (at / 1000).to_le_bytes()[0]).take(length).collect()
}

#[test]
fn images_are_pushed_and_pulled_and_every_command_works() -> Result<()> {
    let site = Site::new(&SERVER, "commands")?;
    let server = site.serve(program()?)?;
    let (small, large) = (layer(b'a', 5_000), layer(b'b', 25_000_000));
    site.push("team/app", "1", &small)?;
    site.push("team/app", "2", &large)?;
    site.assert_has("team/app", "1", &small)?;
    site.assert_has("team/app", "2", &large)?;
    let tags = site.ask(&[], "/v2/team/app/tags/list")?.expect(200)?.json()?;
    assert_eq!(tags["tags"], json!(["1", "2"]));
    assert_eq!(site.ask(&[], "/v2/_catalog")?.expect(200)?.json()?["repositories"], json!(["team/app"]));
    site.ask(&["--request", "DELETE"], "/v2/team/app/manifests/1")?.expect(202)?;
    server.stop()?;

    assert!(site.command(&["ls"])?.contains("team/app"));
    assert!(site.command(&["du"])?.contains("team/app"));
    site.command(&["check"])?;
    assert!(site.command(&["config", "check"])?.contains("storage.s3.bucket"));
    site.command(&["garbage-collect", "--min-age=0s"])?;
    let server = site.serve(program()?)?;
    site.assert_has("team/app", "2", &large)?;
    server.stop()
}

#[test]
fn a_bucket_of_the_original_is_served_in_place_and_given_back() -> Result<()> {
    let site = Site::new(&SERVER, "/shared/with/the/original")?;
    let (theirs, ours) = (layer(b'c', 12_000_000), layer(b'd', 12_000_001));
    let original = site.serve(packaged("docker-registry")?)?;
    site.push("team/app", "theirs", &theirs)?;
    original.stop()?;

    let server = site.serve(program()?)?;
    site.assert_has("team/app", "theirs", &theirs)?;
    site.push("team/app", "ours", &ours)?;
    site.push_blob("team/other", &theirs)?;
    server.stop()?;

    let original = site.serve(packaged("docker-registry")?)?;
    site.assert_has("team/app", "theirs", &theirs)?;
    site.assert_has("team/app", "ours", &ours)?;
    original.stop()
}

#[test]
fn while_s3_is_away_clients_are_told_to_come_back_and_then_all_is_there() -> Result<()> {
    let s3 = S3Server::start()?;
    let site = Site::new(&s3, "outage")?;
    let server = site.serve(program()?)?;
    let layer = layer(b'e', 6_000_000);
    site.push("team/app", "1", &layer)?;
    s3.kill()?;
    let away = site.ask(&[], "/v2/team/app/manifests/1")?.expect(503)?;
    assert!(away.header("retry-after").is_some(), "{away:?}");
    site.ask(&["--request", "POST"], "/v2/team/app/blobs/uploads/")?.expect(503)?;
    s3.resume()?;
    site.assert_has("team/app", "1", &layer)?;
    server.stop()
}
