//! Registries whose images are in a bucket: what opens it is copied, watched and told about, and replicas come with a
//! disruption budget.

use anyhow::{Context, Result, ensure};
use berth_operator::registry::certificates;
use berth_tests::cluster::wait;
use serde_json::Value;

use crate::fixture::{Namespace, PATIENCE};

const SPEC: &str = "{replicas: 2, storage: {s3: {bucket: images, endpoint: 'http://minio:9000', prefix: hub, secretName: bucket}}}";

fn create_key(namespace: &Namespace, secret_key: &str) {
    let arguments = ["create", "secret", "generic", "bucket", "--from-literal=accessKeyId=A"];
    namespace
        .run(&[&arguments[..], &[&format!("--from-literal=secretAccessKey={secret_key}")]].concat())
        .unwrap();
}

fn template_of(namespace: &Namespace) -> Result<Value> {
    Ok(namespace.get("deployment/hub")?["spec"]["template"].clone())
}

fn wait_for_deployment(namespace: &Namespace) -> Value {
    wait::until("the Deployment", PATIENCE, || namespace.get("deployment/hub")).unwrap()
}

#[test]
fn a_missing_access_key_is_told_until_it_is_there() {
    let namespace = Namespace::create("bucket-key").unwrap();
    namespace.apply_registry(SPEC).unwrap();
    let missing = namespace.wait_for_reason("StorageReady", "SecretNotFound").unwrap();
    assert_eq!(missing.status, "False");
    for wanted in ["Secret bucket", "accessKeyId", "secretAccessKey"] {
        assert!(missing.message.contains(wanted), "{}", missing.message);
    }
    assert_eq!(namespace.wait_for_reason("Ready", "StorageNotReady").unwrap().message, missing.message);
    assert!(namespace.get("deployment/hub").is_err(), "pods that could only fail");

    namespace.run(&["create", "secret", "generic", "bucket", "--from-literal=accessKeyId=A"]).unwrap();
    let incomplete = namespace.wait_for_reason("StorageReady", "InvalidSecret").unwrap();
    assert!(incomplete.message.contains("no text under the key secretAccessKey"), "{}", incomplete.message);

    namespace.run(&["delete", "secret/bucket"]).unwrap();
    create_key(&namespace, "hunter2");
    namespace.wait_for_reason("StorageReady", "Configured").unwrap();
    wait_for_deployment(&namespace);
    assert_eq!(namespace.secret_text("hub-storage", "secretkey").unwrap(), "hunter2");
    assert!(namespace.get("persistentvolumeclaim/hub").is_err(), "a volume that nothing is kept on");
    for object in ["configmap/hub-config", "deployment/hub", "registry/hub"] {
        assert!(!namespace.get(object).unwrap().to_string().contains("hunter2"), "{object} holds the secret");
    }
    let storage = &namespace.get("registry/hub").unwrap()["status"]["storage"];
    assert_eq!(storage["kind"], "S3");
    assert_eq!((&storage["bucket"], &storage["prefix"]), (&"images".into(), &"hub".into()));
}

#[test]
fn a_new_access_key_replaces_the_pods_and_a_lost_one_does_not() {
    let namespace = Namespace::create("bucket-rotated").unwrap();
    create_key(&namespace, "first");
    namespace.apply_registry(SPEC).unwrap();
    let rolling = wait_for_deployment(&namespace)["spec"]["strategy"]["rollingUpdate"].clone();
    assert_eq!((&rolling["maxSurge"], &rolling["maxUnavailable"]), (&"25%".into(), &0.into()));
    let before = template_of(&namespace).unwrap();

    namespace.run(&["delete", "secret/bucket"]).unwrap();
    namespace.wait_for_reason("StorageReady", "SecretNotFound").unwrap();
    assert_eq!(template_of(&namespace).unwrap(), before);
    assert_eq!(namespace.secret_text("hub-storage", "secretkey").unwrap(), "first");

    create_key(&namespace, "second");
    wait::until("the pods to be replaced", PATIENCE, || {
        ensure!(template_of(&namespace)? != before, "they are those of before");
        Ok(())
    })
    .unwrap();
    assert_eq!(namespace.secret_text("hub-storage", "secretkey").unwrap(), "second");
    namespace.wait_for_reason("StorageReady", "Configured").unwrap();
}

#[test]
fn authorities_of_a_config_map_reach_the_registry() {
    let namespace = Namespace::create("bucket-ca").unwrap();
    let spec = "{storage: {s3: {bucket: images, endpoint: 'https://minio:9000', caConfigMapName: minio-ca}}}";
    namespace.apply_registry(spec).unwrap();
    namespace.wait_for_reason("StorageReady", "AuthorityNotFound").unwrap();
    let authority = certificates::issue_authority("test", None, jiff::Timestamp::now()).unwrap().certificate;
    namespace
        .run(&["create", "configmap", "minio-ca", &format!("--from-literal=ca.crt={authority}")])
        .unwrap();
    namespace.wait_for_reason("StorageReady", "Configured").unwrap();
    wait_for_deployment(&namespace);
    assert_eq!(namespace.secret_text("hub-storage", "ca.crt").unwrap(), authority);
    let config = namespace.get("configmap/hub-config").unwrap()["data"]["config.yml"].to_string();
    assert!(config.contains("/etc/berth/storage/ca.crt"), "{config}");
}

#[test]
fn the_identity_of_the_pods_takes_annotations_and_no_secret() {
    let namespace = Namespace::create("bucket-identity").unwrap();
    let storage = "storage: {s3: {bucket: images, region: eu-central-1}}";
    namespace
        .apply_registry(&format!("{{{storage}, serviceAccountAnnotations: {{example.com/role: hub}}}}"))
        .unwrap();
    namespace.wait_for_reason("StorageReady", "Configured").unwrap();
    wait_for_deployment(&namespace);
    let annotations = &namespace.get("serviceaccount/hub").unwrap()["metadata"]["annotations"];
    assert_eq!(annotations["example.com/role"], "hub");
    assert!(namespace.get("secret/hub-storage").is_err(), "a Secret without a use");

    // Where no cloud puts it there, the user's pod template brings the token.
    let template = "podTemplate: {spec: {\
        volumes: [{name: aws, projected: {sources: [{serviceAccountToken: {path: token, audience: sts.amazonaws.com}}]}}], \
        containers: [{name: registry, volumeMounts: [{name: aws, mountPath: /var/run/secrets/aws, readOnly: true}], \
        env: [{name: AWS_WEB_IDENTITY_TOKEN_FILE, value: /var/run/secrets/aws/token}]}]}}";
    namespace.apply_registry(&format!("{{{storage}, {template}}}")).unwrap();
    wait::until("the token", PATIENCE, || {
        let pod = template_of(&namespace)?["spec"].take();
        let is_of_user = |volume: &&Value| volume["name"] == "aws";
        let volume = pod["volumes"].as_array().and_then(|volumes| volumes.iter().find(is_of_user));
        let token = &volume.context("no volume yet")?["projected"]["sources"][0]["serviceAccountToken"];
        ensure!(token["audience"] == "sts.amazonaws.com", "{}", pod["volumes"]);
        ensure!(pod["containers"][0]["env"][0]["name"] == "AWS_WEB_IDENTITY_TOKEN_FILE", "no variable");
        Ok(())
    })
    .unwrap();
    assert!(!namespace.get("networkpolicy/hub").unwrap()["spec"]["egress"].is_null(), "no way to the bucket");
}

#[test]
fn a_disruption_budget_comes_with_the_second_replica_and_goes_with_it() {
    let namespace = Namespace::create("budget").unwrap();
    create_key(&namespace, "secret");
    namespace.apply_registry(SPEC).unwrap();
    let budget = || namespace.get("poddisruptionbudget/hub");
    let before = wait::until("the budget", PATIENCE, budget).unwrap();
    assert_eq!(before["spec"]["maxUnavailable"], 1);
    assert_eq!(before["spec"]["unhealthyPodEvictionPolicy"], "AlwaysAllow");

    namespace
        .run(&[
            "patch",
            "poddisruptionbudget/hub",
            "--type=merge",
            "--patch",
            r#"{"spec": {"maxUnavailable": 0}}"#,
        ])
        .unwrap();
    wait::until("the budget to be put right", PATIENCE, || {
        ensure!(budget()?["spec"]["maxUnavailable"] == 1, "it is not");
        Ok(())
    })
    .unwrap();
    for object in ["poddisruptionbudget/hub", "secret/hub-storage"] {
        namespace.run(&["delete", object]).unwrap();
        wait::until(&format!("{object} to come back"), PATIENCE, || namespace.get(object)).unwrap();
    }

    for replicas in ["1", "2", "0"] {
        namespace.run(&["scale", "registry/hub", &format!("--replicas={replicas}")]).unwrap();
        wait::until(&format!("the budget of {replicas} replicas"), PATIENCE, || {
            ensure!(budget().is_ok() == (replicas == "2"), "not yet");
            Ok(())
        })
        .unwrap();
    }
    namespace.wait_for_reason("Available", "Stopped").unwrap();
}
