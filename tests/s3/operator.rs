//! What the operator makes for a Registry on a bucket, in the hands of the registry: its configuration, its variables and
//! its files, as a pod would have them.

use crate::SERVER;
use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use berth_operator::apply::Desired;
use berth_operator::registry::{authority::Periods, build, issue, observe::Observed, validate};
use berth_tests::http::{Answer, ask};
use berth_tests::registry_process::{RegistryProcess, free_port, program};
use berth_tests::s3_server::{ACCESS_KEY, BUCKET, REGION, SECRET_KEY};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// The manifests of a Registry, by kind and name.
struct Manifests(HashMap<String, Value>);

impl Manifests {
    /// Those of a Registry on the bucket, with the folder `prefix` of it.
    fn of(prefix: &str) -> Result<Self> {
        let s3 = json!({"bucket": BUCKET, "region": REGION, "endpoint": SERVER.url(), "prefix": prefix, "secretName": "key"});
        let registry = json!({
            "apiVersion": "berth.dev/v1alpha1", "kind": "Registry",
            "metadata": {"name": "hub", "namespace": "default", "uid": "1"},
            "spec": {"replicas": 2, "tls": {"disabled": true}, "storage": {"s3": s3}},
        });
        let key = json!({"data": {
            "accessKeyId": BASE64.encode(ACCESS_KEY), "secretAccessKey": BASE64.encode(SECRET_KEY),
        }});
        let observed = Observed { bucket_secret: Some(serde_json::from_value(key)?), ..Observed::default() };
        let now = jiff::Timestamp::now();
        let validated = validate::validate(&serde_json::from_value(registry)?, &observed, now);
        let rotation = Periods { trust: Duration::ZERO, grace: Duration::ZERO };
        let issued = issue::issue(&validated, &observed.children, &observed.loaded, rotation, now)?;
        let settings = build::Settings {
            image: "registry".to_owned(),
            image_pull_policy: "Never".to_owned(),
            rotation,
            node_agent: None,
        };
        let steps = build::build(&validated, &issued, &settings).into_steps(&validated.identity);
        let present = steps.into_iter().flatten().filter_map(|(id, desired)| match desired {
            Desired::Present(manifest) => Some((id.to_string(), manifest)),
            Desired::Absent | Desired::AsIs => None,
        });
        Ok(Self(present.collect()))
    }

    fn get(&self, id: &str) -> Result<&Value> {
        self.0.get(id).with_context(|| format!("{id} is missing"))
    }

    /// A file of a Secret.
    fn secret(&self, name: &str, key: &str) -> Result<String> {
        let encoded = self.get(&format!("Secret {name}"))?["data"][key].as_str().unwrap_or_default();
        Ok(String::from_utf8(BASE64.decode(encoded)?)?)
    }

    /// Writes the files of a Secret where a pod has them.
    fn mount(&self, name: &str, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder)?;
        let keys = self.get(&format!("Secret {name}"))?["data"].as_object().context("no files")?.keys();
        keys.map(String::as_str).try_for_each(|key| Ok(fs::write(folder.join(key), self.secret(name, key)?)?))
    }
}

/// A pod's registry, on a port of its own.
struct Replica {
    process: RegistryProcess,
    port: u16,
    user: String,
    _folder: TempDir,
}

impl Replica {
    fn start(manifests: &Manifests) -> Result<Self> {
        let (folder, port) = (TempDir::new()?, free_port()?);
        let root = folder.path().display().to_string();
        let here = |text: &str| text.replace("/etc/berth", &root);
        let config = &manifests.get("ConfigMap hub-config")?["data"]["config.yml"];
        let config = here(config.as_str().unwrap_or_default())
            .replace("\":5000\"", &format!("\"127.0.0.1:{port}\""))
            .replace("\":5001\"", "\"127.0.0.1:0\"");
        fs::write(folder.path().join("config.yml"), config)?;
        manifests.mount("hub-auth", &folder.path().join("auth"))?;
        manifests.mount("hub-storage", &folder.path().join("storage"))?;
        let container = &manifests.get("Deployment hub")?["spec"]["template"]["spec"]["containers"][0];
        let mut serve = Command::new(program()?);
        serve.env_clear().arg("serve").arg(folder.path().join("config.yml"));
        for variable in container["env"].as_array().into_iter().flatten() {
            let text = |key: &str| variable[key].as_str().unwrap_or_default();
            serve.env(text("name"), here(text("value")));
        }
        let process = RegistryProcess::start(&mut serve, &folder.path().join("log"))?;
        process.wait_for(|| {
            let mut curl = Command::new("curl");
            curl.args(["--silent", "--fail", &format!("http://localhost:{port}/livez")]);
            curl
        })?;
        let user = format!("admin:{}", manifests.secret("hub-admin", "password")?);
        Ok(Self { process, port, user, _folder: folder })
    }

    fn ask(&self, arguments: &[&str], path: &str) -> Result<Answer> {
        let mut curl = Command::new("curl");
        curl.args(["--user", &self.user]).args(arguments);
        ask(curl.arg(format!("http://localhost:{}{path}", self.port)))
    }
}

#[test]
fn what_one_replica_took_another_serves_after_the_first_has_crashed() -> Result<()> {
    let manifests = Manifests::of("operator/replicas")?;
    let (first, second) = (Replica::start(&manifests)?, Replica::start(&manifests)?);
    let content = "kept in the bucket";
    let digest =
        Sha256::digest(content).iter().fold("sha256:".to_owned(), |text, byte| text + &format!("{byte:02x}"));
    let (kind, path) =
        ("Content-Type: application/octet-stream", format!("/v2/app/blobs/uploads/?digest={digest}"));
    first.ask(&["--request", "POST", "--header", kind, "--data-binary", content], &path)?.expect(201)?;
    let log = first.process.log();
    assert!(!log.contains(SECRET_KEY), "the secret is in the log: {log}");
    first.process.kill()?;

    let pulled = second.ask(&[], &format!("/v2/app/blobs/{digest}"))?.expect(200)?;
    assert_eq!(pulled.text(), content);
    Ok(())
}

#[test]
fn a_wrong_access_key_leaves_the_registry_running_but_not_ready() -> Result<()> {
    let mut manifests = Manifests::of("operator/refused")?;
    let secret = manifests.0.get_mut("Secret hub-storage").context("no access key")?;
    secret["data"]["secretkey"] = BASE64.encode("wrong").into();
    let replica = Replica::start(&manifests)?;
    let told = replica.ask(&[], "/readyz")?.expect(503)?.text();
    assert_eq!(told, "the storage does not answer\n");
    assert!(replica.process.log().contains("not ready"), "{}", replica.process.log());
    Ok(())
}
