//! skopeo: copies between a layout on disk and the registry.

use crate::fixture::{Fixture, credentials};
use anyhow::Result;
use berth_tests::command::{fail, succeed};
use berth_tests::programs::packaged;
use std::process::Command;

pub(crate) fn skopeo(fixture: &Fixture, verb: &str) -> Result<Command> {
    let mut command = Command::new(packaged("skopeo")?);
    command.arg("--insecure-policy").arg(verb).env("REGISTRY_AUTH_FILE", fixture.path("auth.json"));
    Ok(command)
}

fn push(fixture: &Fixture, name: &str, credentials: &str) -> Result<Command> {
    let mut command = skopeo(fixture, "copy")?;
    command
        .arg("--dest-cert-dir")
        .arg(fixture.server.certificates())
        .args(["--dest-creds", credentials, &fixture.layout()])
        .arg(format!("docker://{}", fixture.reference(name)));
    Ok(command)
}

#[test]
fn an_image_comes_back_as_it_was_pushed() -> Result<()> {
    let fixture = Fixture::new()?;
    succeed(&mut push(&fixture, "team/app:1", &credentials())?)?;
    let back = fixture.path("back");
    succeed(
        skopeo(&fixture, "copy")?
            .args(["--src-creds", &credentials()])
            .arg("--src-cert-dir")
            .arg(fixture.server.certificates())
            .arg(format!("docker://{}", fixture.reference("team/app:1")))
            .arg(format!("dir:{}", back.display())),
    )?;
    let manifest = std::fs::read(back.join("manifest.json"))?;
    assert_eq!(sha256(&manifest), fixture.image.digest());
    Ok(())
}

#[test]
fn a_wrong_password_is_refused() -> Result<()> {
    let fixture = Fixture::new()?;
    let said = fail(&mut push(&fixture, "app:1", "alice:guess")?)?;
    assert!(said.contains("authentication required") || said.contains("unauthorized"), "{said}");
    Ok(())
}

#[test]
fn a_certificate_that_the_client_does_not_know_is_refused() -> Result<()> {
    let fixture = Fixture::new()?;
    let target = format!("docker://{}", fixture.reference("app:1"));
    let said =
        fail(skopeo(&fixture, "copy")?.args(["--dest-creds", &credentials(), &fixture.layout(), &target]))?;
    assert!(said.contains("x509"), "{said}");
    Ok(())
}

#[test]
fn tags_are_listed_and_an_image_is_deleted() -> Result<()> {
    let fixture = Fixture::new()?;
    succeed(&mut push(&fixture, "app:1", &credentials())?)?;
    succeed(&mut push(&fixture, "app:2", &credentials())?)?;
    let on = |verb: &str, name: &str| -> Result<String> {
        succeed(
            skopeo(&fixture, verb)?
                .args(["--creds", &credentials()])
                .arg("--cert-dir")
                .arg(fixture.server.certificates())
                .arg(format!("docker://{}", fixture.reference(name))),
        )
    };
    let tags: serde_json::Value = serde_json::from_str(&on("list-tags", "app")?)?;
    assert_eq!(tags["Tags"], serde_json::json!(["1", "2"]));
    on("delete", "app:1")?;
    let gone = on("inspect", "app:2").expect_err("deleting by digest takes every tag of it along");
    assert!(gone.to_string().contains("manifest unknown"), "{gone}");
    Ok(())
}

#[test]
fn a_repository_is_carried_to_another_one_by_way_of_a_folder() -> Result<()> {
    let fixture = Fixture::new()?;
    succeed(&mut push(&fixture, "app:1", &credentials())?)?;
    succeed(&mut push(&fixture, "app:2", &credentials())?)?;
    let folder = fixture.path("carried");
    std::fs::create_dir(&folder)?;
    let certificates = fixture.server.certificates();
    succeed(
        skopeo(&fixture, "sync")?
            .args(["--src=docker", "--dest=dir", "--src-creds", &credentials(), "--src-cert-dir"])
            .arg(&certificates)
            .arg(fixture.reference("app"))
            .arg(&folder),
    )?;
    succeed(
        skopeo(&fixture, "sync")?
            .args(["--src=dir", "--dest=docker", "--dest-creds", &credentials(), "--dest-cert-dir"])
            .arg(&certificates)
            .arg(&folder)
            .arg(fixture.reference("site")),
    )?;
    let tags = fixture.server.url("/v2/site/app/tags/list");
    let tags = succeed(fixture.server.curl().args(["--user", &credentials(), &tags]))?;
    assert!(tags.contains("[\"1\",\"2\"]"), "{tags}");
    Ok(())
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes)
        .iter()
        .fold(String::from("sha256:"), |text, byte| text + &format!("{byte:02x}"))
}
