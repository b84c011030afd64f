//! What a running registry reads again by itself: it reaches every replica without a restart, and the Registry says when it has.
//!
//! No kubelet runs here. Replicas are servers of the test, each on an address of its own of this machine, and pods that have these
//! addresses.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use anyhow::{Result, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use berth_tests::{cluster::wait, digest::sha256};
use serde_json::json;

use crate::{
    fixture::{Namespace, PATIENCE},
    quiet::assert_silent,
    requests,
};

const CI: &str = "ci:$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC";
const BOB: &str = "bob:$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC";

type Files = BTreeMap<String, String>;

/// A replica that tells what it has loaded, until the test process ends.
struct Replica {
    pod: &'static str,
    loaded: Arc<Mutex<Files>>,
}

impl Replica {
    fn start(namespace: &Namespace, pod: &'static str, address: &str) -> Result<Self> {
        let listener = TcpListener::bind((address, 5001))?;
        let loaded = Arc::new(Mutex::new(Files::new()));
        let told = Arc::clone(&loaded);
        thread::spawn(move || {
            listener.incoming().flatten().for_each(|stream| drop(tell(stream, &told)));
        });
        place(namespace, pod, address)?;
        Ok(Self { pod, loaded })
    }

    fn load(&self, files: Files) {
        *self.loaded.lock().unwrap_or_else(PoisonError::into_inner) = files;
    }
}

fn tell(mut stream: TcpStream, loaded: &Mutex<Files>) -> Result<()> {
    let mut request = [0; 4096];
    let length = stream.read(&mut request)?;
    ensure!(request[..length].starts_with(b"GET /debug/loaded HTTP/1.1\r\n"), "another question");
    let body = json!({"files": *loaded.lock().unwrap_or_else(PoisonError::into_inner)}).to_string();
    let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    Ok(stream.write_all((head + &body).as_bytes())?)
}

/// Makes a pod of the Registry `hub` that runs at this address.
fn place(namespace: &Namespace, pod: &str, address: &str) -> Result<()> {
    let labels = json!({
        "app.kubernetes.io/name": "berth-registry",
        "app.kubernetes.io/instance": "hub",
        "app.kubernetes.io/component": "registry",
    });
    let manifest = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": pod, "labels": labels},
        "spec": {"containers": [{"name": "registry", "image": "registry.example/berth-registry:test"}]},
    });
    wait::until("the pod to be accepted", PATIENCE, || namespace.apply(&manifest.to_string()))?;
    let status = json!({"status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}});
    let patch = status.to_string();
    namespace.run(&["patch", "pod", pod, "--subresource=status", "--type=merge", "--patch", &patch]).map(drop)
}

/// The files that a replica has once its node shows it everything that was written.
fn written(namespace: &Namespace) -> Result<Files> {
    let mut files = Files::new();
    for (secret, folder, keys) in [
        ("hub-auth", "auth", &["htpasswd", "access.yml", "jwks.json"][..]),
        ("hub-tls", "tls", &["tls.crt", "tls.key"]),
    ] {
        let data = &namespace.get(&format!("secret/{secret}"))?["data"];
        for key in keys {
            let content = STANDARD.decode(data[*key].as_str().unwrap_or_default())?;
            files.insert(format!("/etc/berth/{folder}/{key}"), sha256(&content));
        }
    }
    let config = namespace.get("configmap/hub-config")?["data"]["config.yml"].clone();
    let config = config.as_str().unwrap_or_default().as_bytes();
    files.insert("/etc/berth/config/config.yml".to_owned(), sha256(config));
    Ok(files)
}

/// Writes the users of the Registry, which makes the operator look at it.
fn write_users(namespace: &Namespace, line: &str) {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "team"}, "stringData": {"htpasswd": line},
    });
    namespace.apply(&secret.to_string()).unwrap();
}

/// A Registry with these users, of which everything is written.
fn registry_with_users(name: &'static str) -> Namespace {
    let namespace = Namespace::create(name).unwrap();
    write_users(&namespace, CI);
    namespace.apply_registry("{access: {htpasswdSecretName: team}}").unwrap();
    namespace.wait_for_objects().unwrap();
    namespace.wait_for_reason("Reloaded", "NoReplicas").unwrap();
    namespace
}

/// How often pods were written to.
fn pokes(namespace: &Namespace) -> usize {
    let requests = requests::within(namespace.name);
    requests.iter().filter(|request| request.is_write() && request.path.contains("/pods/")).count()
}

fn annotation(namespace: &Namespace, replica: &Replica) -> Option<String> {
    let pod = namespace.get(&format!("pod/{}", replica.pod)).unwrap();
    pod["metadata"]["annotations"]["berth.dev/live-hash"].as_str().map(str::to_owned)
}

#[test]
fn new_users_are_acknowledged_when_every_replica_has_loaded_them() {
    let namespace = registry_with_users("acknowledged");
    let before = written(&namespace).unwrap();
    let replicas = [
        Replica::start(&namespace, "first", "127.0.41.1").unwrap(),
        Replica::start(&namespace, "second", "127.0.41.2").unwrap(),
    ];
    for replica in &replicas {
        replica.load(before.clone());
    }

    write_users(&namespace, &format!("{CI}\n{BOB}"));
    let told = namespace.wait_for_reason("Reloaded", "Propagating").unwrap();
    assert!(told.status == "False" && told.message.starts_with("0 of 2 replicas"), "{told:?}");
    assert_eq!(namespace.condition("AccessReady").unwrap().status, "True");
    wait::until("each pod to be poked", PATIENCE, || {
        let hashes = replicas.each_ref().map(|replica| annotation(&namespace, replica));
        ensure!(hashes[0].is_some() && hashes[0] == hashes[1], "{hashes:?}");
        Ok(())
    })
    .unwrap();

    let after = written(&namespace).unwrap();
    assert_ne!(after, before);
    replicas[0].load(after.clone());
    wait::until("the first replica to be heard", PATIENCE, || {
        let told = namespace.condition("Reloaded")?;
        ensure!(told.status == "False" && told.message.starts_with("1 of 2 replicas"), "{told:?}");
        Ok(())
    })
    .unwrap();
    replicas[1].load(after);
    assert_eq!(namespace.wait_for_reason("Reloaded", "Acknowledged").unwrap().status, "True");
    assert_silent(&namespace);
    assert_eq!(pokes(&namespace), 2, "each pod once");
}

#[test]
fn a_replica_that_cannot_be_asked_is_named_and_never_written_to() {
    let namespace = registry_with_users("unreachable");
    place(&namespace, "silent", "127.0.41.3").unwrap();
    write_users(&namespace, BOB);
    let told = namespace.wait_for_reason("Reloaded", "ReplicaUnreachable").unwrap();
    assert_eq!(told.status, "Unknown");
    assert!(told.message.ends_with("; the pod silent does not answer on port 5001"), "{told:?}");
    assert_silent(&namespace);
    assert_eq!(pokes(&namespace), 0);
}

#[test]
fn the_log_level_and_read_only_reach_the_replicas_and_replace_none() {
    let namespace = Namespace::create("live-settings").unwrap();
    namespace.apply_registry("{}").unwrap();
    namespace.wait_for_objects().unwrap();
    let replica = Replica::start(&namespace, "only", "127.0.41.4").unwrap();
    replica.load(written(&namespace).unwrap());
    let generation = || namespace.get("deployment/hub").unwrap()["metadata"]["generation"].clone();
    let before = generation();
    namespace.apply_registry("{logLevel: debug, readOnly: true}").unwrap();
    namespace.wait_for_reason("Reloaded", "Propagating").unwrap();
    let config = namespace.get("configmap/hub-config").unwrap()["data"]["config.yml"].to_string();
    assert!(config.contains("debug") && config.contains("true"), "{config}");
    replica.load(written(&namespace).unwrap());
    namespace.wait_for_reason("Reloaded", "Acknowledged").unwrap();
    assert_eq!(generation(), before);
}

#[test]
fn mirrors_reach_the_replicas_and_replace_none() {
    let namespace = Namespace::create("live-mirrors").unwrap();
    namespace.apply_registry("{}").unwrap();
    namespace.wait_for_objects().unwrap();
    let replica = Replica::start(&namespace, "only", "127.0.41.5").unwrap();
    replica.load(written(&namespace).unwrap());
    let generation = || namespace.get("deployment/hub").unwrap()["metadata"]["generation"].clone();
    let before = generation();
    let login = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login"},
        "stringData": {"username": "robot", "password": "first"},
    });
    namespace.apply(&login.to_string()).unwrap();
    for spec in [
        "{mirrors: [{upstream: docker.io, secretName: login}]}",
        "{mirrors: [{upstream: docker.io, offline: true}, {upstream: quay.io, caConfigMapName: hub-ca}]}",
        "{}",
    ] {
        namespace.apply_registry(spec).unwrap();
        let told = namespace.wait_for_reason("Reloaded", "Propagating").unwrap();
        assert_eq!(told.status, "False", "{told:?}");
        replica.load(written(&namespace).unwrap());
        namespace.wait_for_reason("Reloaded", "Acknowledged").unwrap();
    }
    assert_eq!(generation(), before);
}
