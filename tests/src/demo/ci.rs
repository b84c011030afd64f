//! A push by a Job in the cluster, as CI would.

use super::Hub;
use anyhow::{Context, Result};
use serde_json::{Value, json};

/// Pushes the image that `ci` holds as `HOST/REPOSITORY_AND_TAG`, by a Job with the Secret and the ConfigMap that the
/// operator made. `ci` is the name of an image of [`super::images::ci`] that the nodes have.
pub fn push_from_ci(hub: &Hub, ci: &str, repository_and_tag: &str) -> Result<()> {
    let reference = format!("{}/{repository_and_tag}", hub.host()?);
    hub.run(&["delete", "job", "ci-push", "--ignore-not-found", "--wait"])?;
    hub.apply(&job(hub, ci, &reference).to_string())?;
    let ended = ["wait", "job/ci-push", "--for=condition=Complete", "--timeout=120s"];
    let log = || hub.run(&["logs", "job/ci-push", "--tail=20"]).unwrap_or_else(|error| format!("{error:#}"));
    hub.run(&ended).map(drop).with_context(log)
}

fn job(hub: &Hub, ci: &str, reference: &str) -> Value {
    let admin = format!("{}-admin", hub.name);
    let docker_config = json!([{ "key": ".dockerconfigjson", "path": "config.json" }]);
    json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": { "name": "ci-push" },
        "spec": { "backoffLimit": 0, "template": { "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": false,
            "containers": [{
                "name": "push",
                "image": ci,
                "args": ["push", "/image.tar", reference],
                "env": [
                    { "name": "DOCKER_CONFIG", "value": "/credentials" },
                    { "name": "SSL_CERT_FILE", "value": "/authority/ca.crt" },
                ],
                "volumeMounts": [
                    { "name": "credentials", "mountPath": "/credentials", "readOnly": true },
                    { "name": "authority", "mountPath": "/authority", "readOnly": true },
                ],
            }],
            "volumes": [
                { "name": "credentials", "secret": { "secretName": admin, "items": docker_config } },
                { "name": "authority", "configMap": { "name": format!("{}-ca", hub.name) } },
            ],
        } } },
    })
}
