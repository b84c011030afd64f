//! curl, with the commands that articles about `registry:2` teach.

use crate::fixture::{Fixture, credentials};
use anyhow::Result;
use berth_tests::cluster::wait;
use berth_tests::command::succeed;
use berth_tests::programs::packaged;
use std::process::Command;
use std::time::Duration;

fn ask(fixture: &Fixture, arguments: &[&str], path: &str) -> Result<String> {
    let mut command: Command = fixture.server.curl();
    succeed(
        command.args(["--include", "--user", &credentials()]).args(arguments).arg(fixture.server.url(path)),
    )
}

fn header<'a>(answer: &'a str, name: &str) -> &'a str {
    let lines = answer.lines().filter_map(|line| line.split_once(": "));
    lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value).next().unwrap_or_default()
}

#[test]
fn the_registry_says_which_api_it_speaks_even_when_it_refuses() -> Result<()> {
    let fixture = Fixture::new()?;
    let refused = succeed(fixture.server.curl().arg("--include").arg(fixture.server.url("/v2/")))?;
    assert!(refused.contains(" 401"), "{refused}");
    assert_eq!(header(&refused, "docker-distribution-api-version"), "registry/2.0");
    assert_eq!(header(&refused, "www-authenticate"), "Basic realm=\"Berth\"");
    let allowed = ask(&fixture, &[], "/v2/")?;
    assert!(allowed.contains(" 200") && allowed.ends_with("{}"), "{allowed}");
    Ok(())
}

#[test]
fn an_image_is_found_and_deleted_by_the_digest_that_head_tells() -> Result<()> {
    let fixture = Fixture::new()?;
    let manifest =
        r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;
    let pushed = ask(
        &fixture,
        &[
            "--request",
            "PUT",
            "--header",
            "Content-Type: application/vnd.oci.image.index.v1+json",
            "--data",
            manifest,
        ],
        "/v2/team/app/manifests/1",
    )?;
    assert!(pushed.contains(" 201"), "{pushed}");
    assert!(ask(&fixture, &[], "/v2/_catalog")?.contains("{\"repositories\":[\"team/app\"]}"));
    assert!(ask(&fixture, &[], "/v2/team/app/tags/list")?.contains("\"tags\":[\"1\"]"));
    let head = ask(&fixture, &["--head"], "/v2/team/app/manifests/1")?;
    let digest = header(&head, "docker-content-digest").trim();
    let deleted = ask(&fixture, &["--request", "DELETE"], &format!("/v2/team/app/manifests/{digest}"))?;
    assert!(deleted.contains(" 202"), "{deleted}");
    assert!(ask(&fixture, &[], "/v2/team/app/manifests/1")?.contains("MANIFEST_UNKNOWN"));
    Ok(())
}

#[test]
fn a_user_that_apaches_htpasswd_adds_is_let_in_without_a_restart() -> Result<()> {
    let fixture = Fixture::new()?;
    let login = || {
        succeed(fixture.server.curl().args(["--fail", "--user", "bob:secret", &fixture.server.url("/v2/")]))
    };
    assert!(login().is_err());
    let mut htpasswd = Command::new(packaged("htpasswd")?);
    succeed(htpasswd.arg("-Bb").arg(fixture.server.password_file()).args(["bob", "secret"]))?;
    wait::until("the password file to be read again", Duration::from_secs(30), login)?;
    assert!(ask(&fixture, &[], "/v2/")?.contains(" 200"), "those who were there before still are");
    Ok(())
}
