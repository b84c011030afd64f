//! Clients that are sent to the registry's own endpoint of tokens: they log in, push and pull with what they get there.

use crate::crane::crane;
use crate::fixture::{Fixture, credentials};
use crate::skopeo::skopeo;
use anyhow::{Result, ensure};
use berth_tests::command::{fail, succeed};
use berth_tests::registry_server::{PASSWORD, RegistryServer, USER};

fn with_tokens() -> Result<Fixture> {
    Fixture::over(RegistryServer::start_with("tokens: {enabled: true}\n")?)
}

/// Fails unless a token was given to the user.
fn assert_token_given(fixture: &Fixture, method: &str) -> Result<()> {
    let log = fixture.server.log();
    let is_given = |line: &str| {
        line.contains(&format!("\"{method} /token 200\"")) && line.contains(&format!("user={USER}"))
    };
    ensure!(log.lines().any(is_given), "no token was asked for by {method}:\n{log}");
    Ok(())
}

#[test]
fn skopeo_pushes_and_pulls_with_tokens() -> Result<()> {
    let fixture = with_tokens()?;
    let reference = format!("docker://{}", fixture.reference("team/app:1"));
    let certificates = fixture.server.certificates();
    let mut push = skopeo(&fixture, "copy")?;
    push.arg("--dest-cert-dir").arg(&certificates).args(["--dest-creds", &credentials()]);
    succeed(push.args([&fixture.layout(), &reference]))?;
    assert_token_given(&fixture, "GET")?;
    let mut pull = skopeo(&fixture, "copy")?;
    pull.arg("--src-cert-dir").arg(&certificates).args(["--src-creds", &credentials(), &reference]);
    succeed(pull.arg(format!("dir:{}", fixture.path("back").display())))?;
    let mut guess = skopeo(&fixture, "inspect")?;
    guess.arg("--cert-dir").arg(&certificates).args(["--creds", "alice:guess", &reference]);
    let said = fail(&mut guess)?;
    ensure!(said.contains("unauthorized") || said.contains("invalid username/password"), "{said}");
    Ok(())
}

#[test]
fn crane_logs_in_pushes_copies_and_lists_with_tokens() -> Result<()> {
    let fixture = with_tokens()?;
    succeed(crane(&fixture)?.args(["auth", "login", &fixture.server.host(), "-u", USER, "-p", PASSWORD]))?;
    let (first, second) = (fixture.reference("team/app:1"), fixture.reference("other/app:2"));
    succeed(crane(&fixture)?.arg("push").arg(fixture.archive()).arg(&first))?;
    succeed(crane(&fixture)?.args(["copy", &first, &second]))?;
    succeed(crane(&fixture)?.args(["validate", "--remote", &second]))?;
    let listed = succeed(crane(&fixture)?.args(["catalog", &fixture.server.host()]))?;
    assert_eq!(listed, "other/app\nteam/app\n");
    assert_token_given(&fixture, "GET")
}

#[test]
fn curl_shows_its_password_unasked_and_comes_in_as_before() -> Result<()> {
    let fixture = with_tokens()?;
    let url = fixture.server.url("/v2/_catalog");
    let listed = succeed(fixture.server.curl().args(["--fail", "--user", &credentials(), &url]))?;
    assert_eq!(listed.trim(), "{\"repositories\":[]}");
    Ok(())
}

#[test]
fn a_refresh_token_in_the_place_of_a_password_is_enough_for_crane() -> Result<()> {
    let fixture = with_tokens()?;
    let form = format!("username={USER}&password={PASSWORD}&grant_type=password&access_type=offline");
    let url = fixture.server.url("/token");
    let answer = succeed(fixture.server.curl().args(["--fail", "--data", &form.replace(' ', "+"), &url]))?;
    let answer: serde_json::Value = serde_json::from_str(&answer)?;
    let auths = serde_json::json!({ "auths": { fixture.server.host(): { "identitytoken": answer["refresh_token"] } } });
    std::fs::create_dir(fixture.path("docker"))?;
    std::fs::write(fixture.path("docker/config.json"), auths.to_string())?;
    let reference = fixture.reference("team/app:1");
    succeed(crane(&fixture)?.arg("push").arg(fixture.archive()).arg(&reference))?;
    succeed(crane(&fixture)?.args(["validate", "--remote", &reference]))?;
    assert_token_given(&fixture, "POST")
}
