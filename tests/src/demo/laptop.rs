//! Pushes and pulls by a person with skopeo on this machine.

use super::{Credentials, Hub};
use crate::cluster::HostAccess;
use crate::command::succeed;
use crate::image::products::Written;
use crate::programs;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// A person who has reached a registry and has credentials for it.
#[derive(Debug, Clone, Copy)]
pub struct Laptop<'a> {
    /// The registry.
    pub hub: &'a Hub,
    /// The way to it.
    pub access: &'a HostAccess,
    /// The credentials.
    pub credentials: &'a Credentials,
}

impl Laptop<'_> {
    /// Pushes an image; `name` is its repository and tag.
    pub fn push(&self, image: &Written, name: &str) -> Result<()> {
        let source = format!("docker-archive:{}", image.docker_archive.display());
        self.copy("--dest-cert-dir", &source, &format!("docker://{}/{name}", self.hub.host()?))
    }

    /// Pulls an image, whose digests skopeo verifies, and makes sure that it is the expected one.
    pub fn pull(&self, name: &str, expected: &Written) -> Result<()> {
        let pulled = TempDir::new()?;
        let source = format!("docker://{}/{name}", self.hub.host()?);
        self.copy("--src-cert-dir", &source, &format!("dir:{}", pulled.path().display()))?;
        let config = configuration_digest(&expected.oci_layout)?;
        ensure!(pulled.path().join(config.trim_start_matches("sha256:")).exists(), "{name} is another image");
        Ok(())
    }

    fn copy(&self, certificates: &str, from: &str, to: &str) -> Result<()> {
        self.skopeo(&["copy", "--quiet", certificates], &[from, to]).map(drop)
    }

    /// The digest of an image's manifest as the registry has it.
    pub fn digest(&self, name: &str) -> Result<String> {
        let image = format!("docker://{}/{name}", self.hub.host()?);
        let inspected = self.skopeo(&["inspect", "--raw", "--cert-dir"], &[&image])?;
        Ok(crate::digest::sha256(inspected.as_bytes()))
    }

    /// The credentials are in a file, because a command line is seen by all users of a machine.
    fn skopeo(&self, verb: &[&str], operands: &[&str]) -> Result<String> {
        let folder = TempDir::new()?;
        let auth = folder.path().join("auth.json");
        fs::write(&auth, self.credentials.docker_config(&self.hub.host()?))?;
        fs::write(folder.path().join("ca.crt"), self.hub.authority()?)?;
        let mut skopeo = self.access.command(programs::packaged("skopeo")?);
        skopeo.args(verb).arg(folder.path()).arg("--authfile").arg(&auth);
        succeed(skopeo.args(operands))
    }
}

/// The digest of the configuration, which stays the same however the layers are compressed.
fn configuration_digest(layout: &Path) -> Result<String> {
    let read = |path: &str| -> Result<Value> { Ok(serde_json::from_slice(&fs::read(layout.join(path))?)?) };
    let digest = |value: &Value| value.as_str().map(str::to_owned).context("a digest is missing");
    let manifest = digest(&read("index.json")?["manifests"][0]["digest"])?;
    digest(&read(&format!("blobs/{}", manifest.replace(':', "/")))?["config"]["digest"])
}
