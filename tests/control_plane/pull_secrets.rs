//! Pull Secrets in other namespaces and their ServiceAccounts: given, kept right, taken back, and never at the cost of others.
//!
//! The operator may write to the namespaces `pulls-*`. Each test chooses its own by a label with its name.

use std::time::Instant;

use anyhow::{Result, ensure};
use berth_tests::cluster::wait;
use serde_json::Value;

use crate::{
    fixture::{Namespace, PATIENCE, kubectl},
    requests::{self, Request},
    silence::wait_for_silence,
};

/// A namespace that a Registry chooses by the label `pull`.
fn team(name: &'static str, label: &str) -> Namespace {
    let namespace = Namespace::create(name).unwrap();
    // What somebody else has entered, as soon as the controllers of the cluster have made the ServiceAccount.
    wait::until("the ServiceAccount", PATIENCE, || namespace.get("serviceaccount/default")).unwrap();
    let mirror = r#"{"imagePullSecrets": [{"name": "mirror"}]}"#;
    namespace.run(&["patch", "serviceaccount/default", "--patch", mirror]).unwrap();
    set_label(name, &format!("pull={label}"));
    namespace
}

fn set_label(namespace: &str, label: &str) {
    kubectl().run(&["label", "--overwrite", "namespace", namespace, label]).unwrap();
}

/// The Registry `hub`, whose pull Secret goes where the label is, as `pullSecrets` says further.
fn apply_hub(namespace: &Namespace, label: &str, further: &str) {
    let chosen = format!("from: Selector, selector: {{matchLabels: {{pull: {label}}}}}");
    apply_pull_secrets(namespace, &format!("{{{chosen}{further}}}"));
}

fn apply_pull_secrets(namespace: &Namespace, pull_secrets: &str) {
    let spec =
        format!("{{replicas: 0, storage: {{emptyDir: {{}}}}, access: {{pullSecrets: {pull_secrets}}}}}");
    namespace.apply_registry(&spec).unwrap();
}

const WITH_ACCOUNT: &str = ", serviceAccounts: [default]";

fn entries(namespace: &Namespace) -> Result<Vec<String>> {
    let account = namespace.get("serviceaccount/default")?;
    let entries = account["imagePullSecrets"].as_array().cloned().unwrap_or_default();
    Ok(entries.iter().filter_map(|entry| entry["name"].as_str()).map(str::to_owned).collect())
}

fn wait_for_entries(namespace: &Namespace, expected: &[&str]) {
    wait::until(&format!("the entries {expected:?} in {}", namespace.name), PATIENCE, || {
        let entries = entries(namespace)?;
        ensure!(entries == expected, "they are {entries:?}");
        Ok(())
    })
    .unwrap();
}

fn wait_for_copy(of: &Namespace, namespace: &Namespace, name: &str) {
    wait::until(&format!("the Secret {name} in {}", namespace.name), PATIENCE, || {
        let (original, copy) = (of.get("secret/hub-pull")?, namespace.get(&format!("secret/{name}"))?);
        ensure!(copy["data"] == original["data"] && copy["type"] == original["type"], "it differs");
        Ok(())
    })
    .unwrap();
}

fn wait_until_gone(namespace: &Namespace, object: &str) {
    let question = ["get", object, "--ignore-not-found", "--output=name"];
    wait::until(&format!("{object} to go from {}", namespace.name), PATIENCE, || {
        ensure!(namespace.run(&question)?.is_empty(), "it is there");
        Ok(())
    })
    .unwrap();
}

fn finalizers(namespace: &Namespace) -> Value {
    namespace.get("registry/hub").unwrap()["metadata"]["finalizers"].clone()
}

fn writes(namespace: &Namespace, kind: &str) -> Vec<Request> {
    let sent = requests::within(namespace.name).into_iter();
    sent.filter(|request| request.is_write() && request.path.contains(kind)).collect()
}

#[test]
fn a_namespace_has_the_secret_for_as_long_as_it_has_the_label() {
    let hub = Namespace::create("pulls-label").unwrap();
    let team = team("pulls-label-team", "label");
    apply_hub(&hub, "label", WITH_ACCOUNT);
    wait_for_copy(&hub, &team, "hub-pull");
    wait_for_entries(&team, &["mirror", "hub-pull"]);
    let synced = hub.wait_for_reason("PullSecretsReady", "Synced").unwrap();
    assert_eq!(
        (synced.status.as_str(), synced.message.as_str()),
        ("True", "1 namespace has the Secret hub-pull")
    );
    assert_eq!(hub.get("registry/hub").unwrap()["status"]["pullSecrets"]["namespaces"], 1);
    assert_eq!(finalizers(&hub)[0], "berth.dev/pull-secrets");

    set_label(team.name, "pull-");
    wait_until_gone(&team, "secret/hub-pull");
    wait_for_entries(&team, &["mirror"]);
    wait::until("the finalizer to go", PATIENCE, || {
        ensure!(finalizers(&hub).is_null(), "{}", finalizers(&hub));
        Ok(())
    })
    .unwrap();
    assert!(hub.get("secret/hub-pull").is_ok(), "the original stays");
}

#[test]
fn a_namespace_of_later_gets_its_secret_at_once() {
    let hub = Namespace::create("pulls-later").unwrap();
    apply_hub(&hub, "later", WITH_ACCOUNT);
    hub.wait_for_reason("PullSecretsReady", "Synced").unwrap();
    kubectl()
        .apply("{apiVersion: v1, kind: Namespace, metadata: {name: pulls-later-team, labels: {pull: later}}}")
        .unwrap();
    let made = Instant::now();
    let on = ["--namespace", "pulls-later-team", "wait", "--timeout=60s"];
    kubectl().run(&[&on[..], &["--for=create", "secret/hub-pull"]].concat()).unwrap();
    let secret = made.elapsed();
    let entered = "--for=jsonpath={.imagePullSecrets[0].name}=hub-pull";
    kubectl().run(&[&on[..], &[entered, "serviceaccount/default"]].concat()).unwrap();
    let account = made.elapsed();
    eprintln!(
        "a new namespace had its Secret after {secret:?}, and its ServiceAccount used it after {account:?}"
    );
}

#[test]
fn a_copy_that_somebody_deletes_or_edits_comes_back_as_it_should_be() {
    let hub = Namespace::create("pulls-healed").unwrap();
    let team = team("pulls-healed-team", "healed");
    apply_hub(&hub, "healed", "");
    wait_for_copy(&hub, &team, "hub-pull");
    team.run(&["delete", "secret/hub-pull"]).unwrap();
    wait_for_copy(&hub, &team, "hub-pull");

    let edit = r#"{"metadata": {"labels": {"team": "a"}}, "data": {"host": "eA==", "more": "eA=="}}"#;
    team.run(&["patch", "secret/hub-pull", "--type=merge", "--patch", edit]).unwrap();
    wait_for_copy(&hub, &team, "hub-pull");
    assert_eq!(
        team.get("secret/hub-pull").unwrap()["metadata"]["labels"]["team"],
        "a",
        "labels of others stay"
    );
    assert_eq!(entries(&team).unwrap(), ["mirror"], "no ServiceAccount was named");
}

#[test]
fn another_password_reaches_every_copy() {
    let hub = Namespace::create("pulls-password").unwrap();
    let teams = [team("pulls-password-a", "password"), team("pulls-password-b", "password")];
    apply_hub(&hub, "password", "");
    for team in &teams {
        wait_for_copy(&hub, team, "hub-pull");
    }
    let before = hub.secret_text("hub-pull", "password").unwrap();
    hub.run(&["annotate", "registry/hub", "berth.dev/rotate=1"]).unwrap();
    wait::until("another password", PATIENCE, || {
        ensure!(hub.secret_text("hub-pull", "password")? != before, "it is the old one");
        Ok(())
    })
    .unwrap();
    for team in &teams {
        wait_for_copy(&hub, team, "hub-pull");
    }
    assert_eq!(hub.get("registry/hub").unwrap()["status"]["pullSecrets"]["namespaces"], 2);
}

#[test]
fn another_name_moves_secrets_and_entries() {
    let hub = Namespace::create("pulls-renamed").unwrap();
    let team = team("pulls-renamed-team", "renamed");
    apply_hub(&hub, "renamed", WITH_ACCOUNT);
    wait_for_entries(&team, &["mirror", "hub-pull"]);
    apply_hub(&hub, "renamed", ", secretName: images, serviceAccounts: [default]");
    wait_for_copy(&hub, &team, "images");
    wait_for_entries(&team, &["mirror", "images"]);
    wait_until_gone(&team, "secret/hub-pull");
    apply_hub(&hub, "renamed", ", secretName: images");
    wait_for_entries(&team, &["mirror"]);
    assert!(team.get("secret/images").is_ok());
}

#[test]
fn a_secret_of_somebody_else_is_left_alone() {
    let hub = Namespace::create("pulls-taken").unwrap();
    let team = team("pulls-taken-team", "taken");
    team.run(&["create", "secret", "generic", "hub-pull", "--from-literal=mine=1"]).unwrap();
    apply_hub(&hub, "taken", WITH_ACCOUNT);
    let taken = hub.wait_for_reason("PullSecretsReady", "NameTaken").unwrap();
    assert_eq!(taken.status, "False");
    assert!(taken.message.contains("Secret hub-pull in pulls-taken-team"), "{}", taken.message);
    assert_eq!(entries(&team).unwrap(), ["mirror"]);

    hub.run(&["delete", "registry/hub"]).unwrap();
    wait_until_gone(&hub, "registry/hub");
    assert_eq!(team.secret_text("hub-pull", "mine").unwrap(), "1");
    assert_eq!([writes(&team, "hub-pull"), writes(&team, "/serviceaccounts/")].concat(), []);
}

#[test]
fn a_namespace_that_is_not_permitted_gets_nothing_and_holds_nobody_up() {
    let hub = Namespace::create("pulls-permitted").unwrap();
    let (permitted, denied) = (team("pulls-permitted-team", "permitted"), team("elsewhere", "permitted"));
    apply_hub(&hub, "permitted", WITH_ACCOUNT);
    let told = hub.wait_for_reason("PullSecretsReady", "NotPermitted").unwrap();
    assert!(
        told.message.contains("elsewhere") && told.message.contains("pullSecrets.allowedNamespaces"),
        "{told:?}"
    );
    wait_for_copy(&hub, &permitted, "hub-pull");
    assert_eq!(hub.get("registry/hub").unwrap()["status"]["pullSecrets"]["namespaces"], 1);
    assert_eq!(writes(&denied, "/"), []);
    // Pushes and pulls do not depend on it.
    assert_eq!(hub.wait_for_reason("Ready", "Stopped").unwrap().status, "False");
}

#[test]
fn a_quota_of_one_namespace_holds_up_no_other_and_is_told_until_it_is_lifted() {
    let hub = Namespace::create("pulls-quota").unwrap();
    let (full, free) = (team("pulls-quota-full", "quota"), team("pulls-quota-free", "quota"));
    full.run(&["create", "quota", "full", "--hard=secrets=0"]).unwrap();
    apply_hub(&hub, "quota", WITH_ACCOUNT);
    let told = hub.wait_for_reason("PullSecretsReady", "Rejected").unwrap();
    assert!(
        told.message.starts_with("Secret hub-pull in pulls-quota-full was refused: "),
        "{}",
        told.message
    );
    wait_for_entries(&free, &["mirror", "hub-pull"]);
    assert_eq!(entries(&full).unwrap(), ["mirror"], "it would name a Secret that is not there");
    full.run(&["delete", "quota/full"]).unwrap();
    wait_for_entries(&full, &["mirror", "hub-pull"]);
    hub.wait_for_reason("PullSecretsReady", "Synced").unwrap();
}

#[test]
fn all_are_the_namespaces_that_the_operator_may_write_to() {
    let hub = Namespace::create("pulls-all").unwrap();
    let other = Namespace::create("pulls-all-other").unwrap();
    apply_pull_secrets(&hub, "{from: All, secretName: everywhere}");
    wait_for_copy(&hub, &other, "everywhere");
    wait_for_copy(&hub, &hub, "everywhere");
    assert!(kubectl().run(&["get", "--namespace=default", "secret/everywhere"]).is_err());
    hub.run(&["delete", "registry/hub"]).unwrap();
    wait_until_gone(&other, "secret/everywhere");
}

#[test]
fn a_deleted_registry_takes_everything_back_and_goes() {
    let hub = Namespace::create("pulls-deleted").unwrap();
    let team = team("pulls-deleted-team", "deleted");
    apply_hub(&hub, "deleted", WITH_ACCOUNT);
    wait_for_entries(&team, &["mirror", "hub-pull"]);
    hub.run(&["delete", "registry/hub", "--timeout=60s"]).unwrap();
    assert!(hub.get("registry/hub").is_err());
    wait_until_gone(&team, "secret/hub-pull");
    assert_eq!(entries(&team).unwrap(), ["mirror"]);
}

#[test]
fn a_service_account_beside_the_registry_gets_the_original_and_loses_it_again() {
    let hub = team("beside", "nobody");
    apply_pull_secrets(&hub, "{serviceAccounts: [default]}");
    wait_for_entries(&hub, &["mirror", "hub-pull"]);
    assert_eq!(finalizers(&hub)[0], "berth.dev/pull-secrets");
    let labels = hub.get("secret/hub-pull").unwrap()["metadata"]["labels"].clone();
    assert_eq!(labels["app.kubernetes.io/instance"], "hub", "it is the original, not a copy: {labels}");
    hub.run(&["delete", "registry/hub", "--timeout=60s"]).unwrap();
    wait_for_entries(&hub, &["mirror"]);
}

/// A Registry that is paused is one whose operator is away.
#[test]
fn what_happened_while_the_operator_was_away_is_made_up_for() {
    let hub = Namespace::create("pulls-away").unwrap();
    let (left, gone) = (team("pulls-away-left", "away"), team("pulls-away-gone", "away"));
    apply_hub(&hub, "away", WITH_ACCOUNT);
    wait_for_entries(&left, &["mirror", "hub-pull"]);
    wait_for_entries(&gone, &["mirror", "hub-pull"]);
    hub.run(&["annotate", "registry/hub", "berth.dev/paused=true"]).unwrap();
    hub.wait_for_reason("Paused", "Paused").unwrap();
    kubectl().run(&["delete", "namespace", gone.name, "--timeout=60s"]).unwrap();
    set_label(left.name, "pull-");
    assert!(left.get("secret/hub-pull").is_ok(), "nothing changes meanwhile");
    hub.run(&["annotate", "registry/hub", "berth.dev/paused-"]).unwrap();
    wait_for_entries(&left, &["mirror"]);
    wait_until_gone(&left, "secret/hub-pull");
    hub.run(&["delete", "registry/hub", "--timeout=60s"]).unwrap();
}

#[test]
fn a_registry_whose_chosen_namespace_is_gone_goes_as_well() {
    let hub = Namespace::create("pulls-orphaned").unwrap();
    let team = team("pulls-orphaned-team", "orphaned");
    apply_hub(&hub, "orphaned", WITH_ACCOUNT);
    wait_for_entries(&team, &["mirror", "hub-pull"]);
    // Paused, it is taken back all the same.
    hub.run(&["annotate", "registry/hub", "berth.dev/paused=true"]).unwrap();
    kubectl().run(&["delete", "namespace", team.name, "--wait=false"]).unwrap();
    hub.run(&["delete", "registry/hub", "--timeout=60s"]).unwrap();
    kubectl().run(&["delete", "namespace", hub.name, "--timeout=60s"]).unwrap();
}

#[test]
fn nothing_is_written_while_nothing_changes() {
    let hub = Namespace::create("quiet-pulls").unwrap();
    let team = team("pulls-quiet-team", "quiet");
    apply_hub(&hub, "quiet", WITH_ACCOUNT);
    wait_for_entries(&team, &["mirror", "hub-pull"]);
    hub.wait_for_reason("PullSecretsReady", "Synced").unwrap();
    hub.wait_for_reason("Ready", "Stopped").unwrap();
    let writes =
        || [writes(&hub, "/"), writes(&team, "hub-pull"), writes(&team, "/serviceaccounts/")].concat();
    wait_for_silence(writes, || touch_everything(&hub, &team)).unwrap();
}

/// Touches whatever causes a reconciliation, of either controller, and waits for what it causes.
fn touch_everything(hub: &Namespace, team: &Namespace) -> Result<()> {
    for object in ["secret/hub-pull", "serviceaccount/default"] {
        let before = looks(hub);
        team.run(&["annotate", "--overwrite", object, &format!("example.com/touched={before}")])?;
        wait_for_look(hub, before)?;
    }
    let before = looks(hub);
    set_label(team.name, &format!("touched={before}"));
    wait_for_look(hub, before)?;
    let before = looks(hub);
    let labels = "app.kubernetes.io/managed-by: berth-operator, app.kubernetes.io/instance: hub";
    let metadata = format!("{{name: touch, labels: {{{labels}}}}}");
    hub.apply(&format!(
        "{{apiVersion: v1, kind: ConfigMap, metadata: {metadata}, data: {{at: '{before}'}}}}"
    ))?;
    wait_for_look(hub, before)
}

fn looks(hub: &Namespace) -> usize {
    let sent = requests::within(hub.name);
    sent.iter().filter(|request| !request.is_write() && request.path.ends_with("/registries/hub")).count()
}

fn wait_for_look(hub: &Namespace, before: usize) -> Result<()> {
    wait::until("the operator to look", PATIENCE, || {
        ensure!(looks(hub) > before, "not yet");
        Ok(())
    })
}
