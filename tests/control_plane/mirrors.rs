//! Mirrors of other registries on their way to the registry's configuration.

use anyhow::{Context, Result, ensure};
use berth_tests::cluster::wait;
use serde_json::{Value, json};

use crate::fixture::{Namespace, PATIENCE};

fn section(namespace: &Namespace) -> Result<Value> {
    let config = namespace.get("configmap/hub-config")?;
    let file: Value = serde_json::from_str(config["data"]["config.yml"].as_str().unwrap_or_default())?;
    Ok(file["mirrors"].clone())
}

fn restart_hash(namespace: &Namespace) -> Value {
    let deployment = namespace.get("deployment/hub").unwrap();
    deployment["spec"]["template"]["metadata"]["annotations"]["berth.dev/restart-hash"].clone()
}

fn set_password(namespace: &Namespace, password: &str) {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login"}, "type": "kubernetes.io/basic-auth",
        "stringData": {"username": "robot", "password": password},
    });
    namespace.apply(&secret.to_string()).unwrap();
}

#[test]
fn a_login_reaches_the_registry_in_a_file_and_a_new_password_restarts_nothing() {
    let namespace = Namespace::create("mirrors").unwrap();
    namespace
        .apply_registry(
            "{replicas: 0, mirrors: [{upstream: docker.io, secretName: login}, {upstream: quay.io, prefix: q, ttl: 1h}]}",
        )
        .unwrap();
    let told = namespace.wait_for_reason("MirrorsReady", "SecretNotFound").unwrap();
    assert!(told.message.contains("kubectl create secret generic login"), "{}", told.message);
    assert_eq!(section(&namespace).unwrap(), json!([{"upstream": "quay.io", "prefix": "q", "ttl": "1h"}]));

    set_password(&namespace, "first");
    namespace.wait_for_reason("MirrorsReady", "Configured").unwrap();
    let file = "/etc/berth/mirrors/docker.io";
    let expected =
        json!({"upstream": "docker.io", "prefix": "docker.io", "username": "robot", "passwordfile": file});
    assert_eq!(section(&namespace).unwrap()[0], expected);
    assert_eq!(namespace.secret_text("hub-mirrors", "docker.io").unwrap(), "first");
    let deployment = namespace.get("deployment/hub").unwrap();
    let mounts = &deployment["spec"]["template"]["spec"]["containers"][0]["volumeMounts"];
    let mounted = mounts
        .as_array()
        .context("no mounts")
        .unwrap()
        .iter()
        .any(|mount| mount["mountPath"] == "/etc/berth/mirrors");
    assert!(mounted, "{mounts}");
    assert!(namespace.get("networkpolicy/hub").unwrap()["spec"]["egress"].is_array());

    let before = restart_hash(&namespace);
    set_password(&namespace, "second");
    wait::until("the new password", PATIENCE, || {
        ensure!(namespace.secret_text("hub-mirrors", "docker.io")? == "second", "it is the old one");
        Ok(())
    })
    .unwrap();
    assert_eq!(restart_hash(&namespace), before);
    namespace.run(&["delete", "secret/login"]).unwrap();
    let told = namespace.wait_for_reason("MirrorsReady", "SecretNotFound").unwrap();
    assert!(told.message.contains("it is mirrored as before"), "{}", told.message);
    assert_eq!(namespace.secret_text("hub-mirrors", "docker.io").unwrap(), "second");

    namespace.apply_registry("{replicas: 0}").unwrap();
    wait::until("everything to be gone", PATIENCE, || {
        ensure!(section(&namespace)?.is_null(), "the section is there");
        ensure!(namespace.get("secret/hub-mirrors").is_err(), "the Secret is there");
        Ok(())
    })
    .unwrap();
}

#[test]
fn authorities_of_an_upstream_are_waited_for_and_follow_their_config_map() {
    let namespace = Namespace::create("mirrors-authorities").unwrap();
    namespace
        .apply_registry("{replicas: 0, mirrors: [{upstream: quay.io, caConfigMapName: site, offline: true}]}")
        .unwrap();
    let told = namespace.wait_for_reason("MirrorsReady", "AuthorityNotFound").unwrap();
    assert!(told.message.contains("ConfigMap site of spec.mirrors[].caConfigMapName"), "{}", told.message);
    wait::until("the authorities of the registry itself", PATIENCE, || namespace.get("configmap/hub-ca"))
        .unwrap();
    let authorities = namespace.get("configmap/hub-ca").unwrap()["data"]["ca.crt"].clone();
    for (pem, reason) in [(json!("none"), "InvalidAuthority"), (authorities.clone(), "Configured")] {
        let site = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "site"}, "data": {"ca.crt": pem},
        });
        namespace.apply(&site.to_string()).unwrap();
        namespace.wait_for_reason("MirrorsReady", reason).unwrap();
    }
    let expected = json!([{"upstream": "quay.io", "prefix": "quay.io", "ca": authorities, "offline": true}]);
    wait::until("the mirror with its authorities", PATIENCE, || {
        ensure!(section(&namespace)? == expected, "it is not there");
        Ok(())
    })
    .unwrap();
}

#[test]
fn the_api_server_refuses_mirrors_that_cannot_be() {
    let namespace = Namespace::create("mirrors-refused").unwrap();
    for (mirrors, told) in [
        ("{upstream: a}, {upstream: b, prefix: a}", "each of mirrors needs a prefix of its own"),
        ("{upstream: a}, {upstream: b, prefix: a/b}", "each of mirrors needs a prefix of its own"),
        ("{upstream: a}, {upstream: a, prefix: b}", "duplicate entries"),
        ("{upstream: 'a:5000'}", "an upstream with a port needs a prefix"),
        ("{upstream: a, prefix: A}", "spec.mirrors[0].prefix"),
        ("{upstream: 'https://a'}", "spec.mirrors[0].upstream"),
        ("{upstream: a, url: 'https://a/b'}", "spec.mirrors[0].url"),
        ("{upstream: a, keep: soon}", "spec.mirrors[0].keep"),
        (
            "{upstream: a, caSecretName: b, caConfigMapName: c}",
            "at most one of caSecretName and caConfigMapName",
        ),
    ] {
        let refused =
            namespace.apply_registry(&format!("{{replicas: 0, mirrors: [{mirrors}]}}")).unwrap_err();
        assert!(format!("{refused:#}").contains(told), "{mirrors}: {refused:#}");
    }
    namespace.apply_registry("{replicas: 0, mirrors: [{upstream: a}, {upstream: b, prefix: ab}]}").unwrap();
}
