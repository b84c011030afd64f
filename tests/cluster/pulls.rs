//! Pods whose images the registry serves to the kubelet.

use crate::fixture::fixture;
use anyhow::{Result, ensure};
use berth_tests::cluster::wait;
use berth_tests::demo::{self, Credentials, Hub};
use std::time::Duration;

#[test]
fn a_pod_with_the_pull_secret_runs_an_image_of_the_registry() -> Result<()> {
    let fixture = fixture()?;
    fixture.push("pulled")?;
    demo::create_pod(&fixture.hub, "pulled", "pulled:1", Some("hub-pull"))?;
    let log = demo::pod_log(&fixture.hub, "pulled")?;
    ensure!(log.contains("Hello"), "the pod printed: {log}");
    Ok(())
}

#[test]
fn a_pod_without_the_pull_secret_ends_in_err_image_pull() -> Result<()> {
    let fixture = fixture()?;
    fixture.push("without-secret")?;
    demo::create_pod(&fixture.hub, "without-secret", "without-secret:1", None)?;
    wait_for_refused_pull(&fixture.hub, "without-secret")
}

#[test]
fn a_pod_with_a_wrong_password_ends_in_err_image_pull() -> Result<()> {
    let fixture = fixture()?;
    fixture.push("wrong-secret")?;
    let wrong = Credentials { user: fixture.admin.user.clone(), password: "wrong".to_owned() };
    let config = wrong.docker_config(&fixture.hub.host()?);
    let literal = format!("--from-literal=.dockerconfigjson={config}");
    fixture.hub.run(&[
        "create",
        "secret",
        "generic",
        "wrong",
        "--type=kubernetes.io/dockerconfigjson",
        &literal,
    ])?;
    demo::create_pod(&fixture.hub, "wrong-secret", "wrong-secret:1", Some("wrong"))?;
    wait_for_refused_pull(&fixture.hub, "wrong-secret")
}

fn wait_for_refused_pull(hub: &Hub, pod: &str) -> Result<()> {
    wait::until("the kubelet to try the pull", Duration::from_mins(2), || {
        ensure!(demo::pull_was_refused(hub, pod)?, "nothing was refused yet");
        Ok(())
    })?;
    let events = demo::pod_events(hub, pod)?;
    // As containerd 1 and 2 put it.
    let is_about_rights =
        ["401 Unauthorized", "authorization failed"].iter().any(|words| events.contains(words));
    ensure!(is_about_rights, "refused for another reason: {events}");
    Ok(())
}
