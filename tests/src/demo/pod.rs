//! A pod whose image the registry serves to the kubelet.

use super::Hub;
use crate::cluster::wait;
use anyhow::{Result, bail, ensure};
use serde_json::json;
use std::time::Duration;

/// Creates a pod that runs `HOST/REPOSITORY_AND_TAG` once, with the pull Secret `secret` or with none.
pub fn create_pod(hub: &Hub, name: &str, repository_and_tag: &str, secret: Option<&str>) -> Result<()> {
    create_pod_of(hub, name, &format!("{}/{repository_and_tag}", hub.host()?), secret)
}

/// The same with an image of any registry.
pub fn create_pod_of(hub: &Hub, name: &str, image: &str, secret: Option<&str>) -> Result<()> {
    hub.run(&["delete", "pod", name, "--ignore-not-found", "--wait", "--now"])?;
    let secrets: Vec<_> = secret.into_iter().map(|secret| json!({ "name": secret })).collect();
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": name },
        "spec": {
            "restartPolicy": "Never",
            "imagePullSecrets": secrets,
            "containers": [{
                "name": "app",
                "image": image,
                "imagePullPolicy": "Always",
            }],
        },
    });
    hub.apply(&pod.to_string())
}

/// Waits until the pod has run, and returns what it printed; fails when the node cannot pull its image.
pub fn pod_log(hub: &Hub, name: &str) -> Result<String> {
    let pull = wait::until("the pod to end", Duration::from_mins(2), || {
        let phase = hub.run(&["get", "pod", name, "--output=jsonpath={.status.phase}"])?;
        let refused = pull_was_refused(hub, name)?;
        ensure!(phase == "Succeeded" || refused, "the pod is {phase}");
        Ok(if refused { Pull::Refused } else { Pull::Done })
    })?;
    match pull {
        Pull::Done => hub.run(&["logs", name]),
        Pull::Refused => bail!("the node could not pull the image\n{}", pod_events(hub, name)?),
    }
}

enum Pull {
    Done,
    Refused,
}

/// Whether the kubelet has tried to pull the pod's image and failed.
pub fn pull_was_refused(hub: &Hub, name: &str) -> Result<bool> {
    let path = "--output=jsonpath={.status.containerStatuses[0].state.waiting.reason}";
    let reason = hub.run(&["get", "pod", name, path])?;
    Ok(reason == "ErrImagePull" || reason == "ImagePullBackOff")
}

/// What the kubelet tells about a pod.
pub fn pod_events(hub: &Hub, name: &str) -> Result<String> {
    let about = format!("--field-selector=involvedObject.name={name}");
    hub.run(&["get", "events", &about, "--output=custom-columns=REASON:.reason,MESSAGE:.message"])
}
