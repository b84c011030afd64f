//! Tokens of ServiceAccounts: the keys that verify them, and who collects garbage with one.

use std::{fs, path::Path, process::Command};

use anyhow::{Result, ensure};
use berth_tests::{
    cluster::wait,
    command::succeed,
    http,
    registry_process::{self, RegistryProcess},
};
use serde_json::{Value, json};

use crate::fixture::{Namespace, PATIENCE, kubectl};

fn published(path: &str) -> Value {
    serde_json::from_str(&kubectl().run(&["get", &format!("--raw={path}")]).unwrap()).unwrap()
}

fn given_keys(namespace: &Namespace) -> Result<Value> {
    Ok(serde_json::from_str(&namespace.secret_text("hub-auth", "jwks.json")?)?)
}

fn config(namespace: &Namespace) -> Result<Value> {
    let config = namespace.get("configmap/hub-config")?;
    Ok(serde_json::from_str(config["data"]["config.yml"].as_str().unwrap_or_default())?)
}

fn collector(namespace: &Namespace) -> Result<Value> {
    Ok(namespace.get("cronjob/hub-gc")?["spec"]["jobTemplate"]["spec"]["template"]["spec"].take())
}

#[test]
fn what_the_api_server_publishes_reaches_the_registry() {
    let namespace = Namespace::create("published").unwrap();
    namespace.apply_registry("{}").unwrap();
    namespace.wait_for_objects().unwrap();
    let keys = published("/openid/v1/jwks");
    assert!(!keys["keys"].as_array().unwrap().is_empty());
    assert_eq!(given_keys(&namespace).unwrap(), keys);
    let section = &config(&namespace).unwrap()["serviceaccounts"];
    assert_eq!(section["issuer"], published("/.well-known/openid-configuration")["issuer"]);
    assert_eq!(section["audiences"], json!(["hub.published.svc"]));
    assert_eq!(section["keys"], "/etc/berth/auth/jwks.json");
    let ready = namespace.wait_for_reason("AccessReady", "Configured").unwrap();
    assert_eq!(ready.message, "the users are admin and pull");

    let other = r#"{"stringData": {"jwks.json": "{\"keys\": []}"}}"#;
    namespace.run(&["patch", "secret/hub-auth", "--type=merge", "--patch", other]).unwrap();
    wait::until("the keys to be put right", PATIENCE, || {
        ensure!(given_keys(&namespace)? == keys, "other keys are still there");
        Ok(())
    })
    .unwrap();
}

#[test]
fn the_garbage_collection_has_a_token_of_its_own_and_may_only_administer() {
    let namespace = Namespace::create("collector").unwrap();
    namespace.apply_registry("{}").unwrap();
    namespace.wait_for_objects().unwrap();
    let pod = collector(&namespace).unwrap();
    assert_eq!(pod["serviceAccountName"], "hub-gc");
    assert_eq!(pod["automountServiceAccountToken"], false);
    let token = &pod["volumes"][0]["projected"]["sources"][0]["serviceAccountToken"];
    assert_eq!(
        (&token["audience"], &token["expirationSeconds"]),
        (&json!("hub.collector.svc"), &json!(3600))
    );
    assert!(!pod.to_string().contains("hub-admin"), "{pod}");
    assert_eq!(namespace.get("serviceaccount/hub-gc").unwrap()["automountServiceAccountToken"], false);
    let rules: Value =
        serde_yaml::from_str(&namespace.secret_text("hub-auth", "access.yml").unwrap()).unwrap();
    let names_it =
        |rule: &&Value| rule["users"].to_string().contains("system:serviceaccount:collector:hub-gc");
    let rules: Vec<&Value> = rules["rules"].as_array().unwrap().iter().filter(names_it).collect();
    assert_eq!(rules.len(), 1, "{rules:?}");
    assert_eq!(rules[0]["actions"], json!(["administer"]));
}

#[test]
fn where_no_tokens_are_wanted_there_are_no_keys_and_the_garbage_collection_has_a_password() {
    let namespace = Namespace::create("no-tokens").unwrap();
    namespace.apply_registry("{}").unwrap();
    namespace.wait_for_objects().unwrap();
    namespace.apply_registry("{access: {serviceAccountTokens: false}}").unwrap();
    wait::until("the garbage collection with a password", PATIENCE, || {
        let pod = collector(&namespace)?;
        let env = &pod["containers"][0]["env"];
        ensure!(env[1]["valueFrom"]["secretKeyRef"]["name"] == "hub-admin", "{env}");
        ensure!(!pod.to_string().contains("serviceAccountToken\""), "{pod}");
        Ok(())
    })
    .unwrap();
    assert!(given_keys(&namespace).is_err());
    assert!(config(&namespace).unwrap().get("serviceaccounts").is_none());
    assert!(!namespace.secret_text("hub-auth", "access.yml").unwrap().contains("hub-gc"));
}

/// The registry's program with the configuration, users, rights and keys that the operator has written for `hub`, over
/// storage in memory. Returns its address as well.
fn serve(namespace: &Namespace, folder: &Path) -> Result<(RegistryProcess, String)> {
    for key in ["htpasswd", "access.yml", "jwks.json"] {
        fs::write(folder.join(key), namespace.secret_text("hub-auth", key)?)?;
    }
    let address = format!("127.0.0.1:{}", registry_process::free_port()?);
    let mut config = config(namespace)?;
    config["http"] = json!({"addr": address});
    config["storage"] = json!({"inmemory": {}});
    let config = config.to_string().replace("/etc/berth/auth", &folder.display().to_string());
    fs::write(folder.join("config.yml"), config)?;
    let mut program = Command::new(registry_process::program()?);
    program.arg("serve").arg(folder.join("config.yml"));
    let process = RegistryProcess::start(&mut program, &folder.join("log"))?;
    process.wait_for(|| {
        let mut curl = Command::new("curl");
        curl.arg(format!("http://{address}/v2/"));
        curl
    })?;
    Ok((process, address))
}

fn token(namespace: &Namespace, account: &str, audience: &str) -> Result<String> {
    let token = namespace.run(&["create", "token", account, &format!("--audience={audience}")])?;
    Ok(token.trim().to_owned())
}

#[test]
fn tokens_that_the_api_server_makes_open_the_registry_that_has_its_keys() {
    let namespace = Namespace::create("opened").unwrap();
    namespace.apply_registry("{}").unwrap();
    namespace.wait_for_objects().unwrap();
    namespace.run(&["create", "serviceaccount", "ci"]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (registry, address) = serve(&namespace, folder.path()).unwrap();
    let ask = |token: &str, path: &str| {
        let mut curl = Command::new("curl");
        curl.args(["--user", &format!("serviceaccount:{token}")]).arg(format!("http://{address}{path}"));
        http::ask(&mut curl).unwrap()
    };
    let ci = token(&namespace, "ci", "hub.opened.svc").unwrap();
    ask(&ci, "/v2/").expect(200).unwrap();
    let refused = ask(&ci, "/v2/app/tags/list").expect(403).unwrap();
    assert!(refused.text().contains("system:serviceaccount:opened:ci may not pull"), "{}", refused.text());
    let other = token(&namespace, "ci", "other.opened.svc").unwrap();
    ask(&other, "/v2/").expect(401).unwrap();

    let file = folder.path().join("token");
    fs::write(&file, token(&namespace, "hub-gc", "hub.opened.svc").unwrap()).unwrap();
    let mut collect = Command::new(registry_process::program().unwrap());
    collect.args(["garbage-collect", "--wait", "--server", &format!("http://{address}")]);
    collect.args(["--username", "serviceaccount", "--password-file"]).arg(&file);
    succeed(&mut collect).unwrap();
    for token in [&ci, &other] {
        assert!(!registry.log().contains(token.as_str()), "a token is in the log");
    }
}
