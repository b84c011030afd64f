//! Objects that somebody deletes or edits come back as they should be.

use anyhow::ensure;
use berth_tests::cluster::wait;
use serde_json::Value;

use crate::fixture::{Namespace, OBJECTS, PATIENCE};

#[test]
fn every_deleted_object_comes_back() {
    let namespace = Namespace::create("deletions").unwrap();
    namespace.apply_registry("{}").unwrap();
    namespace.wait_for_objects().unwrap();
    for object in OBJECTS {
        let before = namespace.get(object).unwrap()["metadata"]["uid"].clone();
        // A claim is protected for as long as a pod mounts it, and the pods here never start: it goes at once.
        namespace.run(&["delete", object, "--wait=false"]).unwrap();
        wait::until(&format!("{object} to come back"), PATIENCE, || {
            let now = namespace.get(object)?;
            ensure!(now["metadata"]["uid"] != before, "the old one is still there");
            Ok(())
        })
        .unwrap();
    }
}

#[test]
fn every_edited_object_is_put_right() {
    let namespace = Namespace::create("edits").unwrap();
    namespace.apply_registry("{}").unwrap();
    namespace.wait_for_objects().unwrap();
    let edits = [
        (
            "secret/hub-ca",
            r#"{"metadata": {"labels": {"app.kubernetes.io/instance": "other"}}}"#,
            "/metadata/labels",
        ),
        ("secret/hub-tls", r#"{"data": {"tls.crt": "eA=="}}"#, "/data/ca.crt"),
        ("secret/hub-accounts", r#"{"data": {"accounts.json": "e30="}}"#, "/metadata/name"),
        ("secret/hub-admin", r#"{"data": {"host": "eA=="}}"#, "/data/host"),
        ("secret/hub-pull", r#"{"data": {".dockerconfigjson": "e30="}}"#, "/data/.dockerconfigjson"),
        ("secret/hub-auth", r#"{"data": {"access.yml": "eA=="}}"#, "/data/access.yml"),
        ("configmap/hub-config", r#"{"data": {"config.yml": "x"}}"#, "/data/config.yml"),
        ("configmap/hub-ca", r#"{"data": {"ca.crt": "x"}}"#, "/data/ca.crt"),
        (
            "persistentvolumeclaim/hub",
            r#"{"metadata": {"labels": {"app.kubernetes.io/name": "x"}}}"#,
            "/metadata/labels",
        ),
        ("serviceaccount/hub", r#"{"automountServiceAccountToken": true}"#, "/automountServiceAccountToken"),
        (
            "serviceaccount/hub-gc",
            r#"{"automountServiceAccountToken": true}"#,
            "/automountServiceAccountToken",
        ),
        ("service/hub", r#"{"spec": {"selector": {"app.kubernetes.io/instance": "x"}}}"#, "/spec/selector"),
        ("networkpolicy/hub", r#"{"spec": {"ingress": null}}"#, "/spec/ingress"),
        ("deployment/hub", r#"{"spec": {"replicas": 0}}"#, "/spec/replicas"),
        ("cronjob/hub-gc", r#"{"spec": {"schedule": "@yearly"}}"#, "/spec/schedule"),
    ];
    assert!(edits.iter().map(|(object, _, _)| *object).eq(OBJECTS), "an object is not edited");
    for (object, edit, field) in edits {
        let before = namespace.get(object).unwrap();
        namespace.run(&["patch", object, "--type=merge", "--patch", edit]).unwrap();
        wait::until(&format!("{object} to be put right"), PATIENCE, || {
            let now = namespace.get(object)?;
            ensure!(now.pointer(field) == before.pointer(field), "{field} is {:?}", now.pointer(field));
            ensure!(!contains(&now, edit), "the edit is still there");
            Ok(())
        })
        .unwrap();
    }
}

/// Whether every value of a merge patch is in the object.
fn contains(object: &Value, patch: &str) -> bool {
    fn within(object: &Value, patch: &Value) -> bool {
        match patch.as_object() {
            Some(fields) => {
                fields.iter().all(|(key, value)| object.get(key).is_some_and(|field| within(field, value)))
            }
            None => object == patch,
        }
    }
    within(object, &serde_json::from_str(patch).unwrap())
}

#[test]
fn what_others_add_stays() {
    let namespace = Namespace::create("additions").unwrap();
    namespace.apply_registry("{}").unwrap();
    namespace.wait_for_objects().unwrap();
    namespace.run(&["annotate", "deployment/hub", "example.com/note=mine"]).unwrap();
    namespace.apply_registry("{logLevel: warn}").unwrap();
    wait::until("the new level", PATIENCE, || {
        let config = namespace.get("configmap/hub-config")?;
        ensure!(
            config["data"]["config.yml"].as_str().is_some_and(|file| file.contains("\"warn\"")),
            "{config}"
        );
        Ok(())
    })
    .unwrap();
    namespace.wait_for_reason("AccessReady", "Configured").unwrap();
    let deployment = namespace.get("deployment/hub").unwrap();
    assert_eq!(deployment["metadata"]["annotations"]["example.com/note"], "mine");
}
