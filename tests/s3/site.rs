//! A registry over a bucket, what is pushed to it, and what comes back.

use anyhow::Result;
use berth_tests::command::succeed;
use berth_tests::http::{Answer, ask};
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
pub(crate) struct Site {
    pub(crate) folder: TempDir,
    pub(crate) port: u16,
}

impl Site {
    /// A site with the folder `root` of the bucket.
    pub(crate) fn new(s3: &S3Server, root: &str) -> Result<Self> {
        let section = S3Server::section(&s3.url(), root);
        Self::configured(&format!("s3: {section}\n  redirect: {{disable: true}}"), "")
    }

    /// A site with these sections of `storage`, and more sections of the file.
    pub(crate) fn configured(storage: &str, more: &str) -> Result<Self> {
        let site = Self { folder: TempDir::new()?, port: free_port()? };
        fs::write(
            site.config(),
            format!(
                "version: 0.1\nstorage:\n  {storage}\n  delete: {{enabled: true}}\n\
                 http: {{addr: '127.0.0.1:{}', secret: shared by both}}\n{more}\n",
                site.port
            ),
        )?;
        Ok(site)
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("config.yml")
    }

    pub(crate) fn serve(&self, program: PathBuf) -> Result<RegistryProcess> {
        self.serve_with(program, &[])
    }

    /// Serves with variables of the environment.
    pub(crate) fn serve_with(&self, program: PathBuf, variables: &[(&str, &str)]) -> Result<RegistryProcess> {
        let mut serve = Command::new(program);
        serve.env_clear().envs(variables.iter().copied()).arg("serve").arg(self.config());
        let process = RegistryProcess::start(&mut serve, &self.folder.path().join("log"))?;
        process.wait_for(|| {
            let mut curl = Command::new("curl");
            curl.args(["--silent", &self.url("/v2/")]);
            curl
        })?;
        Ok(process)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        if path.starts_with('/') { format!("http://localhost:{}{path}", self.port) } else { path.to_owned() }
    }

    pub(crate) fn ask(&self, arguments: &[&str], path: &str) -> Result<Answer> {
        ask(Command::new("curl").args(arguments).arg(self.url(path)))
    }

    fn send(&self, method: &str, path: &str, media_type: &str, body: &[u8]) -> Result<Answer> {
        let file = self.folder.path().join("body");
        fs::write(&file, body)?;
        let (data, media_type) = (format!("@{}", file.display()), format!("Content-Type: {media_type}"));
        self.ask(&["--request", method, "--header", &media_type, "--data-binary", &data], path)
    }

    /// Pushes a blob as docker does: its bytes first, then its digest.
    pub(crate) fn push_blob(&self, name: &str, content: &[u8]) -> Result<()> {
        let started = self.ask(&["--request", "POST"], &format!("/v2/{name}/blobs/uploads/"))?.expect(202)?;
        let place = started.header("location").unwrap_or_default().to_owned();
        let sent = self.send("PATCH", &place, "application/octet-stream", content)?.expect(202)?;
        let place = sent.header("location").unwrap_or_default();
        let place =
            format!("{place}{}digest={}", if place.contains('?') { '&' } else { '?' }, digest(content));
        self.ask(&["--request", "PUT"], &place)?.expect(201).map(drop)
    }

    /// Pushes an image with one layer.
    pub(crate) fn push(&self, name: &str, tag: &str, layer: &[u8]) -> Result<()> {
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

    pub(crate) fn assert_has(&self, name: &str, tag: &str, layer: &[u8]) -> Result<()> {
        let accept = format!("Accept: {MANIFEST}");
        let manifest =
            self.ask(&["--header", &accept], &format!("/v2/{name}/manifests/{tag}"))?.expect(200)?.json()?;
        assert_eq!(manifest["layers"][0]["digest"], digest(layer));
        let blob = Self::blob(name, layer);
        assert!(self.ask(&[], &blob)?.expect(200)?.body == layer);
        let range = self.ask(&["--header", "Range: bytes=10-19"], &blob)?.expect(206)?;
        assert_eq!(range.body, layer[10..20]);
        Ok(())
    }

    /// The path of a blob.
    pub(crate) fn blob(name: &str, content: &[u8]) -> String {
        format!("/v2/{name}/blobs/{}", digest(content))
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Result<String> {
        succeed(Command::new(program()?).env_clear().args(arguments).arg(self.config()))
    }
}

pub(crate) fn digest(content: &[u8]) -> String {
    let hash = Sha256::digest(content);
    hash.iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

pub(crate) fn layer(letter: u8, length: usize) -> Vec<u8> {
    let letters = (letter..=b'z').cycle();
    letters.enumerate().map(|(at, letter)| letter ^ (at / 1000).to_le_bytes()[0]).take(length).collect()
}
