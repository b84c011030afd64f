//! Signatures as cosign keeps them: under a tag made of the digest of what they sign, or as a referrer of it. The garbage
//! collection keeps both, even when it deletes what has no tag.

use crate::crane;
use crate::fixture::{Fixture, credentials};
use crate::oras;
use anyhow::{Context, Result};
use berth_tests::command::{fail, succeed};
use berth_tests::http::ask;
use berth_tests::registry_process::program;
use std::fs;
use std::process::Command;

/// Deletes everything that nothing leads to, however young it is, beside the running server.
fn collect_garbage(fixture: &Fixture) -> Result<()> {
    let mut collect = Command::new(program()?);
    collect.env_clear().args(["garbage-collect", "--delete-untagged", "--min-age=0s"]);
    succeed(collect.arg(fixture.server.config_file())).map(drop)
}

fn empty_trash(fixture: &Fixture, repository: &str) -> Result<()> {
    let mut curl = fixture.server.curl();
    curl.args(["--user", &credentials(), "--request", "DELETE"]);
    ask(curl.arg(fixture.server.url(&format!("/v2/{repository}/_berth/trash"))))?.expect(202).map(drop)
}

#[test]
fn a_signature_under_a_tag_is_kept_and_copied_with_its_image() -> Result<()> {
    let fixture = crane::logged_in()?;
    let (image, copy) = (fixture.reference("team/app:1"), fixture.reference("other/app:1"));
    succeed(crane::crane(&fixture)?.arg("push").arg(fixture.archive()).arg(&image))?;
    let digest = succeed(crane::crane(&fixture)?.args(["digest", &image]))?;
    let tag = format!("{}.sig", digest.trim().replace(':', "-"));
    fs::write(fixture.path("payload.json"), r#"{"critical":{"type":"cosign container image signature"}}"#)?;
    let layer = "payload.json:application/vnd.dev.cosign.simplesigning.v1+json";
    let signature = fixture.reference(&format!("team/app:{tag}"));
    succeed(oras::oras(&fixture, "push")?.args([
        "--image-spec=v1.0",
        "--config=/dev/null:application/vnd.oci.image.config.v1+json",
        "--disable-path-validation",
        "--annotation=dev.cosignproject.cosign/signature=MEUCIQD",
        &signature,
        layer,
    ]))?;
    collect_garbage(&fixture)?;
    succeed(crane::crane(&fixture)?.args([
        "copy",
        "--all-tags",
        &fixture.reference("team/app"),
        &fixture.reference("other/app"),
    ]))?;
    let copied =
        succeed(crane::crane(&fixture)?.args(["manifest", &fixture.reference(&format!("other/app:{tag}"))]))?;
    assert_eq!(copied, succeed(crane::crane(&fixture)?.args(["manifest", &signature]))?);
    assert!(copied.contains("dev.cosignproject.cosign/signature"), "{copied}");
    succeed(crane::crane(&fixture)?.args(["validate", "--remote", &copy])).map(drop)
}

#[test]
fn a_signature_that_refers_to_its_image_is_kept_with_it_and_goes_with_it() -> Result<()> {
    let fixture = crane::logged_in()?;
    let image = fixture.reference("team/app:1");
    succeed(crane::crane(&fixture)?.arg("push").arg(fixture.archive()).arg(&image))?;
    let digest = succeed(crane::crane(&fixture)?.args(["digest", &image]))?;
    fs::write(
        fixture.path("bundle.json"),
        r#"{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json"}"#,
    )?;
    let kind = "application/vnd.dev.sigstore.bundle.v0.3+json";
    let attached = succeed(oras::oras(&fixture, "attach")?.args([
        "--format=go-template={{.digest}}",
        &format!("--artifact-type={kind}"),
        &image,
        &format!("bundle.json:{kind}"),
    ]))?;
    collect_garbage(&fixture)?;
    let signature = fixture.reference(&format!("team/app@{}", attached.trim()));
    succeed(crane::crane(&fixture)?.args(["manifest", &signature]))?;
    let by_digest = fixture.reference(&format!("team/app@{}", digest.trim()));
    succeed(crane::crane(&fixture)?.args(["delete", &by_digest]))?;
    collect_garbage(&fixture)?;
    succeed(crane::crane(&fixture)?.args(["manifest", &signature]))
        .context("the trash keeps it with its image")?;
    empty_trash(&fixture, "team/app")?;
    collect_garbage(&fixture)?;
    let gone = fail(crane::crane(&fixture)?.args(["manifest", &signature]))?;
    assert!(gone.contains("MANIFEST_UNKNOWN"), "{gone}");
    Ok(())
}
