//! New users and settings in a registry that runs: acknowledged by its replica, in force at once, without a restart.

use crate::fixture::{Image, create_hub, ensure_about, fixture};
use anyhow::{Context, Result, ensure};
use berth_tests::command::succeed;
use berth_tests::demo::{Credentials, Hub, Laptop};
use berth_tests::registry_process;
use serde_json::json;
use std::process::Command;
use std::time::Instant;

const NAMESPACE: &str = "reload";

#[test]
fn new_users_and_settings_are_acknowledged_and_in_force_without_a_restart() -> Result<()> {
    let target = &fixture()?.target;
    target.kubectl().run(&["create", "namespace", NAMESPACE])?;
    let hub = create_hub(target, NAMESPACE)?;
    let (access, admin) = (hub.on_this_machine(target)?, Credentials::of(&hub)?);
    let admin = Laptop { hub: &hub, access: &access, credentials: &admin };
    let image = Image::pack("reloaded")?;
    admin.push(&image.written, "reloaded:1")?;
    let pods = pods(&hub)?;

    let ci = Credentials { user: "ci".to_owned(), password: "quite-new".to_owned() };
    let ci = Laptop { credentials: &ci, ..admin };
    ensure_about(ci.pull("reloaded:1", &image.written), &["unauthorized", "authentication required"])?;
    write_users(&hub, ci.credentials)?;
    acknowledged(&hub, r#"{"spec": {"access": {"htpasswdSecretName": "team"}}}"#)?;
    ci.pull("reloaded:1", &image.written).context("a user who was acknowledged")?;

    acknowledged(&hub, r#"{"spec": {"readOnly": true, "logLevel": "debug"}}"#)?;
    let refused = admin.push(&Image::pack("refused")?.written, "refused:1");
    ensure_about(refused, &["read-only", "read only", "READONLY", "unsupported", "denied", "405"])?;
    ci.pull("reloaded:1", &image.written)?;
    acknowledged(&hub, r#"{"spec": {"readOnly": false}}"#)?;
    admin.push(&image.written, "accepted:1")?;

    ensure!(self::pods(&hub)? == pods, "the pods were replaced or restarted");
    let log = hub.run(&["logs", "deployment/hub", "--tail=-1"])?;
    ensure!(!log.contains("after a restart only"), "a setting that needs a restart gave none");
    Ok(())
}

/// Edits the Registry, waits until its replica says that it uses what this has changed, and prints how long that took.
#[expect(clippy::print_stdout, reason = "how long it takes is worth knowing, and nothing may depend on it")]
fn acknowledged(hub: &Hub, patch: &str) -> Result<()> {
    let start = Instant::now();
    hub.run(&["patch", "registry.berth.dev/hub", "--type=merge", "--patch", patch])?;
    let wait = ["wait", "--for=condition=Reloaded", "registry.berth.dev/hub", "--timeout=180s"];
    let told = || hub.run(&["get", "registry.berth.dev/hub", "--output=yaml"]).unwrap_or_default();
    hub.run(&wait).with_context(told)?;
    println!("acknowledged after {:.1} s: {patch}", start.elapsed().as_secs_f64());
    Ok(())
}

/// Makes the Secret of a user whom nobody knows yet.
fn write_users(hub: &Hub, user: &Credentials) -> Result<()> {
    let mut htpasswd = Command::new(registry_process::program()?);
    let line = succeed(htpasswd.args(["htpasswd", "-Bbn", &user.user, &user.password]))?;
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "team"}, "stringData": {"htpasswd": line},
    });
    hub.apply(&secret.to_string())
}

/// The pods that serve, each with how often it was restarted.
fn pods(hub: &Hub) -> Result<String> {
    let path = "{range .items[*]}{.metadata.uid} {.status.containerStatuses[*].restartCount}{'\\n'}{end}";
    let selector = "--selector=app.kubernetes.io/component=registry";
    hub.run(&["get", "pods", selector, &format!("--output=jsonpath={path}")])
}
