//! What people push: the same images, artifacts, tags and deletions, by real clients, into whichever registry is running.

use crate::site::{Running, Site};
use crate::view::hex;
use anyhow::{Context, Result};
use berth_tests::command::succeed;
use berth_tests::image::{Image, Recipe};
use berth_tests::programs::{built, packaged};
use sha2::{Digest, Sha512};
use std::fs;
use std::process::Command;

const OCI_IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";

/// The clients of one test, with a folder for their files.
pub(crate) struct Clients<'a> {
    site: &'a Site,
    registry: &'a Running,
}

impl<'a> Clients<'a> {
    pub(crate) fn of(site: &'a Site, registry: &'a Running) -> Self {
        Self { site, registry }
    }

    pub(crate) fn crane(&self, arguments: &[&str]) -> Result<String> {
        succeed(Command::new(built("crane")?).args(arguments).env("DOCKER_CONFIG", self.site.path("docker")))
    }

    pub(crate) fn oras(&self, arguments: &[&str]) -> Result<String> {
        let mut oras = Command::new(built("oras")?);
        oras.args(arguments).env("DOCKER_CONFIG", self.site.path("docker")).current_dir(self.site.path(""));
        succeed(&mut oras)
    }

    /// Pushes an image that holds `text`, with skopeo's `arguments`, and returns the digest of its manifest.
    pub(crate) fn push(&self, text: &str, name: &str, arguments: &[&str]) -> Result<String> {
        let layout = self.site.path("layout");
        let recipe = Recipe::new().text("text", text).starts(&["/text"], &[]);
        Image::pack(&recipe)?.write_oci_layout(&layout, "1")?;
        let digests = self.site.path("digest");
        succeed(
            Command::new(packaged("skopeo")?)
                .args(["--insecure-policy", "copy", "--dest-tls-verify=false", "--digestfile"])
                .arg(&digests)
                .args(arguments)
                .arg(format!("oci:{}:1", layout.display()))
                .arg(format!("docker://{}", self.registry.reference(name))),
        )?;
        fs::remove_dir_all(&layout)?;
        Ok(fs::read_to_string(digests)?)
    }

    /// Pulls an image with skopeo, which verifies every digest.
    pub(crate) fn pull(&self, name: &str) -> Result<()> {
        let folder = self.site.path("pulled");
        let mut skopeo = Command::new(packaged("skopeo")?);
        skopeo.args(["--insecure-policy", "copy", "--src-tls-verify=false", "--all"]);
        skopeo.arg(format!("docker://{}", self.registry.reference(name)));
        succeed(skopeo.arg(format!("dir:{}", folder.display())))?;
        Ok(fs::remove_dir_all(folder)?)
    }

    /// Images in both forms, one with two platforms, an artifact, tags that stay and tags that move, a deletion, a mount,
    /// and an upload that never ended.
    pub(crate) fn push_everything(&self) -> Result<()> {
        let reference = |name: &str| self.registry.reference(name);
        self.push("the application", "team/app:1", &[])?;
        self.push("the application", "team/app:docker", &["--format=v2s2"])?;
        self.push("its parent in name only", "team:1", &[])?;
        self.push("its child in name only", "team/app/nested:1", &[])?;
        self.crane(&["tag", &reference("team/app:1"), "latest"])?;
        self.crane(&["tag", &reference("team/app:1"), "stable"])?;
        self.crane(&["tag", &reference("team/app:docker"), "stable"])?;
        // Content that the other repository has already is mounted.
        self.crane(&["copy", &reference("team/app:1"), &reference("other/copy:1")])?;
        self.push_for_two_platforms()?;
        self.push_chart()?;
        self.push_and_delete()?;
        self.leave_an_upload()
    }

    fn push_for_two_platforms(&self) -> Result<()> {
        let reference = |name: &str| self.registry.reference(name);
        self.push("for one platform", "parts:one", &[])?;
        self.push("for another platform", "parts:two", &[])?;
        let (one, two, all) = (reference("parts:one"), reference("parts:two"), reference("platforms:1"));
        self.crane(&["index", "append", "--manifest", &one, "--manifest", &two, "--tag", &all]).map(drop)
    }

    /// An artifact as helm pushes it, with a version that has a `+`.
    fn push_chart(&self) -> Result<()> {
        fs::write(self.site.path("config.json"), r#"{"name":"app","version":"1.0.0+build.1"}"#)?;
        fs::write(self.site.path("app.tgz"), "what a chart holds")?;
        self.oras(&[
            "push",
            "--config=config.json:application/vnd.cncf.helm.config.v1+json",
            "--annotation=org.opencontainers.image.created=2026-01-01T00:00:00Z",
            &self.registry.reference("charts/app:1.0.0_build.1"),
            "app.tgz:application/vnd.cncf.helm.chart.content.v1.tar+gzip",
        ])
        .map(drop)
    }

    fn push_and_delete(&self) -> Result<()> {
        let digest = self.push("what nobody wants any more", "team/app:old", &[])?;
        self.crane(&["delete", &self.registry.reference(&format!("team/app@{digest}"))]).map(drop)
    }

    fn leave_an_upload(&self) -> Result<()> {
        let location = start_upload(self.registry, "team/app")?;
        let file = self.site.path("chunk");
        self.registry.send("PATCH", &location, b"the beginning of a layer", &file)?.expect(202).map(drop)
    }

    /// Attaches a signature by the referrers API, and returns the digest of its manifest.
    pub(crate) fn attach_signature(&self, name: &str, subject: &str) -> Result<String> {
        fs::write(self.site.path("signature.txt"), "signed")?;
        let reference = self.registry.reference(&format!("{name}@{subject}"));
        let kind = "--artifact-type=application/vnd.example.signature";
        self.oras(&["attach", kind, &reference, "signature.txt:text/plain"])?;
        let referrers = self.registry.ask(&[], &format!("/v2/{name}/referrers/{subject}"))?.json()?;
        let digest = referrers["manifests"][0]["digest"].as_str();
        digest.map(str::to_owned).context("the signature is not listed")
    }

    /// Pushes an image whose parts have digests of SHA-512, under a tag and under such a digest, which is returned.
    pub(crate) fn push_with_long_digests(&self, name: &str) -> Result<String> {
        let content = b"content with a long name";
        let digest = format!("sha512:{}", hex(&Sha512::digest(content)));
        self.put_blob(name, &digest, content)?;
        let image = image_of(&digest, content.len());
        self.put_manifest(name, "long", &image)?;
        let digest = format!("sha512:{}", hex(&Sha512::digest(&image)));
        self.put_manifest(name, &digest, &image)?;
        Ok(digest)
    }

    pub(crate) fn put_blob(&self, name: &str, digest: &str, content: &[u8]) -> Result<()> {
        let path = format!("/v2/{name}/blobs/uploads/?digest={digest}");
        self.registry.send("POST", &path, content, &self.site.path("blob"))?.expect(201).map(drop)
    }

    pub(crate) fn put_manifest(&self, name: &str, reference: &str, manifest: &str) -> Result<()> {
        let kind = format!("Content-Type: {OCI_IMAGE}");
        let put = ["--request", "PUT", "--header", &kind, "--data-binary", manifest];
        self.registry.ask(&put, &format!("/v2/{name}/manifests/{reference}"))?.expect(201).map(drop)
    }
}

/// A manifest whose config and only layer are the same blob.
pub(crate) fn image_of(digest: &str, size: usize) -> String {
    let part = |kind: &str| format!(r#"{{"mediaType":"{kind}","digest":"{digest}","size":{size}}}"#);
    let config = part("application/vnd.oci.image.config.v1+json");
    let layer = part("application/vnd.oci.image.layer.v1.tar+gzip");
    format!(r#"{{"schemaVersion":2,"mediaType":"{OCI_IMAGE}","config":{config},"layers":[{layer}]}}"#)
}

/// Starts an upload and returns its address.
pub(crate) fn start_upload(registry: &Running, name: &str) -> Result<String> {
    let started = registry.ask(&["--request", "POST"], &format!("/v2/{name}/blobs/uploads/"))?.expect(202)?;
    started.header("location").map(str::to_owned).context("an upload without an address")
}
