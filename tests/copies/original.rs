//! To the original and on from there.

use crate::content::Content;
use crate::registries::{Original, command, copy, list, password_file, text};
use anyhow::{Result, ensure};
use berth_tests::command::fail;
use berth_tests::http::ask;
use berth_tests::registry_server::{PASSWORD, RegistryServer, USER};

#[test]
fn images_go_to_the_original_and_on_to_a_registry_with_tokens_with_their_signatures() -> Result<()> {
    let content = Content::new(3, 1000)?;
    let original = Original::start()?;
    let login = original.login()?;
    let sent = copy(&[text(&content.data())?, &original.url(""), "--authfile", text(&login)?])?;
    ensure!(sent["copied"] == 4 && sent["mounted"].as_u64() >= Some(3), "{sent}");
    // The original has no list of referrers: a tag stands for it.
    let tag = content.signed.replace(':', "-");
    let listed = original.ask(&format!("/v2/app/manifests/{tag}"))?.expect(200)?.json()?;
    ensure!(listed["manifests"][0]["digest"] == content.signature.as_str(), "{listed}");

    let berth = RegistryServer::start_with("tokens: {enabled: true}\n")?;
    let (ca, password) = (berth.ca_file(), password_file(&content.path(""))?);
    let (source, destination) = (original.url(""), berth.url("/mirror"));
    let to_berth = [
        &source,
        &destination,
        "--authfile",
        text(&login)?,
        "--dest-username",
        USER,
        "--dest-password-file",
        text(&password)?,
        "--dest-ca-file",
        text(&ca)?,
    ];
    let sent = copy(&to_berth)?;
    ensure!(sent["copied"] == 4, "{sent}");
    ensure!(berth.log().contains("\"GET /token 200\""), "no token was asked for:\n{}", berth.log());
    let referrers = format!("/v2/mirror/app/referrers/{}", content.signed);
    let user = format!("{USER}:{PASSWORD}");
    let answer = ask(berth.curl().args(["--user", &user, &berth.url(&referrers)]))?.expect(200)?.json()?;
    ensure!(answer["manifests"][0]["digest"] == content.signature.as_str(), "{answer}");
    for image in ["app:0", "app:2", "multi:latest"] {
        let (here, there) = (list(&content.data(), image)?, list(&berth.data(), &format!("mirror/{image}"))?);
        ensure!(here["digest"] == there["digest"], "{image}: {here} {there}");
    }

    let again = copy(&to_berth)?;
    ensure!(again["copied"] == 0 && again["unchanged"] == 4 && again["bytes"] == 0, "{again}");
    Ok(())
}

#[test]
fn a_wrong_password_is_told_and_not_shown() -> Result<()> {
    let content = Content::new(1, 10)?;
    let original = Original::start()?;
    let wrong = content.path("wrong");
    std::fs::write(&wrong, "battery staple")?;
    let (source, destination) = (content.data(), original.url(""));
    let arguments = [text(&source)?, &destination, "--dest-username", USER];
    let said = fail(command(&arguments)?.arg("--dest-password-file").arg(&wrong))?;
    ensure!(said.contains("wants other credentials") && !said.contains("staple"), "{said}");
    Ok(())
}
