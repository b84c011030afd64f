//! Clients that are told of the mirror by their own files, and pull by the name of the upstream, which does not exist.

use crate::fixture::{Server, mirror_of, noise};
use anyhow::{Result, ensure};
use berth_tests::command::succeed;
use berth_tests::programs::packaged;
use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// An upstream with an image, a mirror of it, and `registries.conf` that names the mirror for `hub.example.com`.
fn site() -> Result<(Server, Server, TempDir)> {
    let upstream = Server::start("")?;
    upstream.push_image("team/app", "1", &empty_layer())?;
    let mirror = Server::start(&mirror_of(&upstream.url(""), ""))?;
    let folder = TempDir::new()?;
    let text = format!(
        "[[registry]]\nlocation = \"hub.example.com\"\n[[registry.mirror]]\nlocation = \"{}/hub\"\ninsecure = true\n",
        mirror.host()
    );
    fs::write(folder.path().join("registries.conf"), text)?;
    Ok((upstream, mirror, folder))
}

/// A tar archive of one file.
pub(crate) fn empty_layer() -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    let content = noise(1 << 20);
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    // Nothing fails that is written into memory.
    let _written = archive.append_data(&mut header, "noise", content.as_slice());
    archive.into_inner().unwrap_or_default()
}

#[test]
fn skopeo_pulls_through_the_mirror_of_its_registries_conf() -> Result<()> {
    let (_upstream, mirror, folder) = site()?;
    let mut skopeo = Command::new(packaged("skopeo")?);
    skopeo
        .args(["--insecure-policy", "--registries-conf"])
        .arg(folder.path().join("registries.conf"))
        .args(["copy", "docker://hub.example.com/team/app:1"])
        .arg(format!("dir:{}", folder.path().join("image").display()));
    succeed(&mut skopeo)?;
    ensure!(mirror.requests("GET /v2/hub/team/app/blobs/") == 2, "{}", mirror.log());
    Ok(())
}

/// Podman, with its images in this folder; its command follows.
pub(crate) fn podman(folder: &Path) -> Result<Command> {
    let option = |name: &str, file: &str| format!("--{name}={}", folder.join(file).display());
    let mut podman = Command::new(packaged("podman")?);
    podman.args([option("root", "podman"), option("runroot", "podman-run")]);
    podman.args(["--storage-driver=vfs", "--events-backend=none"]);
    Ok(podman)
}

#[test]
fn podman_pulls_through_the_mirror_of_its_registries_conf() -> Result<()> {
    let (_upstream, mirror, folder) = site()?;
    let mut podman = podman(folder.path())?;
    podman
        .env("CONTAINERS_REGISTRIES_CONF", folder.path().join("registries.conf"))
        .args(["pull", "hub.example.com/team/app:1"]);
    succeed(&mut podman)?;
    ensure!(mirror.requests("GET /v2/hub/team/app/manifests/1") >= 1, "{}", mirror.log());
    Ok(())
}
