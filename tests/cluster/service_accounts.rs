//! Tokens of ServiceAccounts as passwords: whose they are and for whom they are meant is verified, and nothing is stored.

use crate::fixture::{Image, ensure_about, fixture};
use anyhow::{Result, ensure};
use berth_tests::command::succeed;
use berth_tests::demo::{Credentials, Laptop};
use berth_tests::programs;
use std::fs;
use tempfile::TempDir;

const ACCOUNT: &str = "pusher";

/// What a Pod of the ServiceAccount would find in its projected volume.
fn credentials(audience: &str) -> Result<Credentials> {
    let hub = &fixture()?.hub;
    hub.apply(&format!("apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: {ACCOUNT}}}\n"))?;
    let token = hub.run(&["create", "token", ACCOUNT, &format!("--audience={audience}")])?;
    Ok(Credentials { user: "serviceaccount".to_owned(), password: token.trim().to_owned() })
}

#[test]
fn a_token_for_the_registry_logs_in_and_may_do_nothing_that_nobody_granted() -> Result<()> {
    let fixture = fixture()?;
    let host = fixture.hub.host()?;
    let credentials = credentials(&host)?;
    let folder = TempDir::new()?;
    fs::write(folder.path().join("ca.crt"), fixture.hub.authority()?)?;
    let mut login = fixture.access.command(programs::packaged("skopeo")?);
    login.arg("login").arg("--authfile").arg(folder.path().join("auth.json"));
    login.arg("--cert-dir").arg(folder.path());
    succeed(login.args(["--username", &credentials.user, "--password", &credentials.password, &host]))?;

    let laptop = Laptop { credentials: &credentials, ..fixture.laptop() };
    let refused = laptop.push(&Image::pack("not granted")?.written, "not-granted:1");
    ensure_about(refused, &["may not", "denied", "403"])
}

#[test]
fn a_token_for_another_service_is_refused() -> Result<()> {
    let fixture = fixture()?;
    for audience in ["https://kubernetes.default.svc.cluster.local", "other.default.svc"] {
        let credentials = credentials(audience)?;
        let laptop = Laptop { credentials: &credentials, ..fixture.laptop() };
        let refused = laptop.push(&Image::pack("another audience")?.written, "refused:1");
        ensure_about(refused, &["unauthorized", "401", "authentication required"])?;
    }
    Ok(())
}

#[test]
fn the_garbage_collection_logs_in_with_its_token_and_knows_no_password() -> Result<()> {
    let hub = &fixture()?.hub;
    hub.run(&["create", "job", "collect-by-token", "--from=cronjob/hub-gc"])?;
    let told = || hub.run(&["logs", "job/collect-by-token"]).unwrap_or_else(|error| format!("{error:#}"));
    let done = ["wait", "job/collect-by-token", "--for=condition=Complete", "--timeout=120s"];
    hub.run(&done).map_err(|error| error.context(told()))?;
    let job = hub.run(&["get", "job/collect-by-token", "--output=yaml"])?;
    ensure!(job.contains("serviceAccountName: hub-gc") && !job.contains("hub-admin"), "{job}");
    Ok(())
}
