//! An operator that has nothing to change sends nothing but reads.

use anyhow::{Result, ensure};
use berth_tests::cluster::wait;
use serde_json::Value;

use crate::{
    fixture::{Namespace, OBJECTS, PATIENCE, kubectl, start_operator},
    requests::{self, Request},
    silence::wait_for_silence,
};

/// A Secret that the spec refers to: touching it causes a reconciliation.
const LINE: &str = "ci:$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC";

#[test]
fn nothing_is_written_when_nothing_changed() {
    let namespace = Namespace::create("quiet").unwrap();
    namespace
        .run(&["create", "secret", "generic", "team", &format!("--from-literal=htpasswd={LINE}")])
        .unwrap();
    namespace
        .apply_registry(
            "{access: {htpasswdSecretName: team}, resources: {requests: {cpu: 1000m, memory: '1073741824'}}, \
             podTemplate: {spec: {containers: [{name: registry, env: [{name: EMPTY, value: ''}]}]}}}",
        )
        .unwrap();
    namespace.wait_for_objects().unwrap();
    assert_silent(&namespace);
}

#[test]
fn nothing_is_written_when_nothing_changed_in_a_bucket() {
    let namespace = Namespace::create("quiet-bucket").unwrap();
    namespace
        .run(&[
            "create",
            "secret",
            "generic",
            "team",
            "--from-literal=AWS_ACCESS_KEY_ID=A",
            "--from-literal=AWS_SECRET_ACCESS_KEY=S",
        ])
        .unwrap();
    namespace
        .apply_registry(
            "{replicas: 3, storage: {s3: {bucket: images, region: eu-central-1, secretName: team}}}",
        )
        .unwrap();
    wait::until("the Deployment", PATIENCE, || namespace.get("deployment/hub")).unwrap();
    assert_silent(&namespace);
}

#[test]
fn nothing_is_written_when_nothing_changed_behind_an_ingress() {
    let namespace = Namespace::create("quiet-ingress").unwrap();
    namespace
        .run(&["create", "secret", "generic", "team", &format!("--from-literal=htpasswd={LINE}")])
        .unwrap();
    namespace.create_ingress_class("quiet-nginx", "k8s.io/ingress-nginx").unwrap();
    // Nobody else's: of two that claim a name for the nodes the first has it, and the other is told when that one goes.
    namespace
        .apply_registry(
            "{host: quiet.example.com, ingress: {className: quiet-nginx, annotations: {a: ''}}, \
             service: {type: NodePort, annotations: {a: b}}, access: {htpasswdSecretName: team}}",
        )
        .unwrap();
    namespace.wait_for_objects().unwrap();
    wait::until("the Ingress", PATIENCE, || namespace.get("ingress/hub")).unwrap();
    assert_silent(&namespace);
}

/// Touches the Registry again and again, and waits until that causes no write.
pub(crate) fn assert_silent(namespace: &Namespace) {
    wait_for_silence(|| writes(namespace), || reconcile(namespace)).unwrap();
}

#[test]
fn an_operator_that_starts_changes_nothing() {
    let namespace = Namespace::create("restarted").unwrap();
    namespace.apply_registry("{}").unwrap();
    namespace.wait_for_objects().unwrap();
    namespace.wait_for_reason("Progressing", "RollingOut").unwrap();
    let settled = wait::until("the controllers of the cluster to finish", PATIENCE, || {
        let before = contents(&namespace)?;
        reconcile_by_label(&namespace)?;
        ensure!(contents(&namespace)? == before, "an object changed");
        Ok(before)
    })
    .unwrap();

    // A second operator knows as little as one that was restarted. It applies every object once, the CronJob last.
    let last =
        || writes(&namespace).iter().filter(|request| request.path.ends_with("/cronjobs/hub-gc")).count();
    let before = last();
    start_operator(kubectl(), vec![namespace.name.to_owned()]);
    wait::until("the second operator to apply everything", PATIENCE, || {
        ensure!(last() > before, "not yet");
        Ok(())
    })
    .unwrap();
    assert_eq!(contents(&namespace).unwrap(), settled);
}

/// Every object but for its resource version: when a claim is applied again for the first time, the API server gives
/// it a new one although nothing else changes.
fn contents(namespace: &Namespace) -> Result<Vec<Value>> {
    let content = |object: &&str| {
        let mut object = namespace.get(object)?;
        object["metadata"]["resourceVersion"].take();
        Ok(object)
    };
    OBJECTS.iter().map(content).collect()
}

/// Touches an object of the Registry that is not compared, and waits for the reconciliation that this causes.
fn reconcile_by_label(namespace: &Namespace) -> Result<()> {
    let before = reconciliations(namespace);
    namespace.run(&["delete", "configmap/touch", "--ignore-not-found"])?;
    namespace.run(&["create", "configmap", "touch"])?;
    let labels = ["app.kubernetes.io/managed-by=berth-operator", "app.kubernetes.io/instance=hub"];
    namespace.run(&["label", "configmap/touch", labels[0], labels[1]])?;
    wait::until("a reconciliation", PATIENCE, || {
        ensure!(reconciliations(namespace) > before, "none yet");
        Ok(())
    })
}

/// Touches the Secret of users, and waits until a reconciliation has begun because of it; the one before has ended
/// then.
fn reconcile(namespace: &Namespace) -> Result<()> {
    let before = reconciliations(namespace);
    namespace.run(&["annotate", "--overwrite", "secret/team", &format!("example.com/touched={before}")])?;
    wait::until("a reconciliation", PATIENCE, || {
        ensure!(reconciliations(namespace) > before, "none yet");
        Ok(())
    })
}

/// Each reconciliation begins by reading the Registry.
fn reconciliations(namespace: &Namespace) -> usize {
    let requests = requests::within(namespace.name);
    requests.iter().filter(|request| !request.is_write() && request.path.ends_with("/registries/hub")).count()
}

fn writes(namespace: &Namespace) -> Vec<Request> {
    requests::within(namespace.name).into_iter().filter(Request::is_write).collect()
}
