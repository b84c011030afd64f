//! `registry import` and `registry export`, with what real clients write and read, beside a running server.

use crate::fixture::{Fixture, credentials};
use crate::podman::podman;
use crate::skopeo::skopeo;
use anyhow::Result;
use berth_tests::command::succeed;
use berth_tests::docker_engine::DockerEngine;
use berth_tests::registry_process::program;
use serde_json::Value;
use std::path::Path;
use std::process::Command;

fn registry(fixture: &Fixture, command: &str) -> Result<Command> {
    let mut program = Command::new(program()?);
    program.env_clear().arg(command).arg("--root").arg(fixture.server.data());
    Ok(program)
}

/// Imports the archive as `app:1`, and returns the digest.
fn import(fixture: &Fixture, archive: &Path) -> Result<String> {
    let printed = succeed(
        registry(fixture, "import")?.arg("--json").args(["--repository", "app", "--tag", "1"]).arg(archive),
    )?;
    let document: Value = serde_json::from_str(&printed)?;
    Ok(document["images"][0]["digest"].as_str().unwrap_or_default().to_owned())
}

fn export(fixture: &Fixture, format: &str, image: &str) -> Result<String> {
    let file = fixture.path(&format!("export-{format}.tar"));
    succeed(registry(fixture, "export")?.args(["--format", format, image, "-o"]).arg(&file))?;
    Ok(file.display().to_string())
}

fn copy(fixture: &Fixture, from: &str, to: &str) -> Result<String> {
    succeed(
        skopeo(fixture, "copy")?
            .args(["--src-creds", &credentials()])
            .arg("--src-cert-dir")
            .arg(fixture.server.certificates())
            .args([from, to]),
    )
}

/// The digest of what skopeo gets from there.
fn digest_at(fixture: &Fixture, place: &str) -> Result<String> {
    Ok(succeed(
        skopeo(fixture, "inspect")?
            .args(["--creds", &credentials(), "--format={{.Digest}}"])
            .arg("--cert-dir")
            .arg(fixture.server.certificates())
            .arg(place),
    )?
    .trim()
    .to_owned())
}

/// Makes sure that the server gives the whole image away.
fn assert_served(fixture: &Fixture, digest: &str) -> Result<()> {
    let reference = format!("docker://{}", fixture.reference("app:1"));
    assert_eq!(digest_at(fixture, &reference)?, digest);
    copy(fixture, &reference, &format!("dir:{}", fixture.path("served").display()))?;
    Ok(())
}

#[test]
fn skopeo_and_the_registry_read_each_others_oci_archives() -> Result<()> {
    let fixture = Fixture::new()?;
    let archive = fixture.path("skopeo.tar");
    copy(&fixture, &fixture.layout(), &format!("oci-archive:{}:localhost/app:1", archive.display()))?;
    assert_eq!(import(&fixture, &archive)?, fixture.image.digest());
    assert_served(&fixture, &fixture.image.digest())?;

    let exported = export(&fixture, "oci", "app:1")?;
    assert_eq!(digest_at(&fixture, &format!("oci-archive:{exported}"))?, fixture.image.digest());
    copy(
        &fixture,
        &format!("oci-archive:{exported}:app:1"),
        &format!("dir:{}", fixture.path("a").display()),
    )?;
    Ok(())
}

#[test]
fn skopeo_and_the_registry_read_each_others_docker_archives() -> Result<()> {
    let fixture = Fixture::new()?;
    let archive = fixture.path("skopeo.tar");
    copy(&fixture, &fixture.layout(), &format!("docker-archive:{}:app:1", archive.display()))?;
    let digest = import(&fixture, &archive)?;
    assert_served(&fixture, &digest)?;
    assert_eq!(import(&fixture, &fixture.archive())?, digest, "the same image, written by another program");

    let exported = export(&fixture, "docker", "app:1")?;
    let back = fixture.path("back");
    copy(&fixture, &format!("docker-archive:{exported}:app:1"), &format!("dir:{}", back.display()))?;
    assert!(back.join("manifest.json").is_file());
    Ok(())
}

#[test]
fn podman_loads_both_formats_and_what_it_saves_is_taken_in() -> Result<()> {
    let fixture = Fixture::new()?;
    copy(&fixture, &fixture.layout(), &format!("oci-archive:{}:app:1", fixture.path("first.tar").display()))?;
    import(&fixture, &fixture.path("first.tar"))?;
    for format in ["oci", "docker"] {
        succeed(podman(&fixture)?.args(["load", "--input", &export(&fixture, format, "app:1")?]))?;
        let images = succeed(podman(&fixture)?.args(["images", "--format={{.Repository}}:{{.Tag}}"]))?;
        assert!(images.trim().ends_with("app:1"), "{format}: {images}");
        let saved = fixture.path(&format!("saved-{format}.tar"));
        let format = format!("--format={format}-archive");
        succeed(podman(&fixture)?.args(["save", &format, "--output"]).arg(&saved).arg(images.trim()))?;
        let digest = import(&fixture, &saved)?;
        assert_served(&fixture, &digest)?;
        succeed(podman(&fixture)?.args(["rmi", "--all", "--force"]))?;
    }
    Ok(())
}

#[test]
fn docker_loads_an_export_and_what_it_saves_is_taken_in() -> Result<()> {
    let fixture = Fixture::new()?;
    let engine = DockerEngine::start(&fixture.path(""), &[])?;
    import(&fixture, &fixture.archive())?;
    let loaded = succeed(engine.docker()?.args(["load", "--input", &export(&fixture, "docker", "app:1")?]))?;
    assert!(loaded.contains("app:1"), "{loaded}");
    let saved = fixture.path("saved.tar");
    succeed(engine.docker()?.args(["save", "--output"]).arg(&saved).arg("app:1"))?;
    let digest = import(&fixture, &saved)?;
    assert_served(&fixture, &digest)
}
