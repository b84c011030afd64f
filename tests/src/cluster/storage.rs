//! Volumes for claims: a default StorageClass, and a supply of local volumes that its claims are bound to.
//!
//! The volumes are made beforehand, as they are on bare metal, so that no provisioner has to run. They are of the kind
//! `local`, because the kubelet applies a pod's `fsGroup` to that kind and not to `hostPath`.

use super::node::NODE_NAME;
use super::{Kubectl, State};
use anyhow::Result;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// More claims than one cluster of tests ever makes: a claim gets the smallest volume that suffices.
const CAPACITIES: [(&str, usize); 2] = [("20Gi", 30), ("100Gi", 10)];
const CLASS: &str = "standard";

/// Makes the class and the volumes.
pub(crate) fn install(kubectl: &Kubectl, state: &State) -> Result<()> {
    let mut documents = vec![class()];
    let capacities = CAPACITIES.iter().flat_map(|(capacity, count)| vec![*capacity; *count]);
    for (number, capacity) in (1..).zip(capacities) {
        let name = format!("volume-{number:02}");
        let folder = state.path("volumes").join(&name);
        fs::create_dir_all(&folder)?;
        documents.push(volume(&name, capacity, &folder));
    }
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": documents });
    kubectl.apply(&list.to_string())?;
    Ok(())
}

fn class() -> Value {
    json!({
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": { "name": CLASS, "annotations": { "storageclass.kubernetes.io/is-default-class": "true" } },
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "WaitForFirstConsumer",
    })
}

fn volume(name: &str, capacity: &str, folder: &Path) -> Value {
    let this_node = json!({ "key": "kubernetes.io/hostname", "operator": "In", "values": [NODE_NAME] });
    json!({
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": { "name": name },
        "spec": {
            "storageClassName": CLASS,
            "capacity": { "storage": capacity },
            "accessModes": ["ReadWriteOnce", "ReadWriteMany"],
            "persistentVolumeReclaimPolicy": "Retain",
            "local": { "path": folder },
            "nodeAffinity": { "required": { "nodeSelectorTerms": [{ "matchExpressions": [this_node] }] } },
        },
    })
}
