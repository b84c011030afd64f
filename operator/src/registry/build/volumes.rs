//! The volumes of the pods that serve, and where they are mounted.

use serde_json::{Value, json};

use super::{
    bucket,
    config_map::{AUTH_DIRECTORY, CONFIG_DIRECTORY, DATA_DIRECTORY, TLS_DIRECTORY},
    mirrors::MIRRORS_DIRECTORY,
};
use crate::registry::validate::Validated;

/// Each volume with its mount. That of the images comes first, unless they are in a bucket.
pub(super) fn volumes(validated: &Validated) -> Vec<(Value, Value)> {
    let config = validated.identity.child("config");
    let tls = (!validated.spec.tls.disabled).then(|| secret_volume(validated, "tls", TLS_DIRECTORY));
    data(validated)
        .into_iter()
        .chain([
            (
                json!({"name": "config", "configMap": {"name": config}}),
                json!({"name": "config", "mountPath": CONFIG_DIRECTORY, "readOnly": true}),
            ),
            secret_volume(validated, "auth", AUTH_DIRECTORY),
        ])
        .chain(tls)
        .chain(bucket::volume(validated))
        .chain([logins(validated)])
        .chain(temporary(validated))
        .collect()
}

/// Where mirrors over a bucket keep what is on its way, for those who come while it is: the bucket gives it out only when all
/// of it is there. Also where there are none, since a volume cannot come without a restart.
fn temporary(validated: &Validated) -> Option<(Value, Value)> {
    validated.spec.storage.s3.as_ref()?;
    Some((json!({"name": "temporary", "emptyDir": {}}), json!({"name": "temporary", "mountPath": "/tmp"})))
}

fn data(validated: &Validated) -> Option<(Value, Value)> {
    if validated.spec.storage.s3.is_some() {
        return None;
    }
    let volume = match &validated.storage.claim_name {
        Some(claim) => json!({"name": "data", "persistentVolumeClaim": {"claimName": claim}}),
        None => json!({"name": "data", "emptyDir": empty_dir(validated)}),
    };
    Some((volume, json!({"name": "data", "mountPath": DATA_DIRECTORY})))
}

fn secret_volume(validated: &Validated, name: &str, directory: &str) -> (Value, Value) {
    let secret = validated.identity.child(name);
    (
        json!({"name": name, "secret": {"secretName": secret, "defaultMode": 0o440}}),
        json!({"name": name, "mountPath": directory, "readOnly": true}),
    )
}

/// Those for the upstreams of mirrors. Also where there are none, since a volume cannot come without a restart.
fn logins(validated: &Validated) -> (Value, Value) {
    let (mut volume, mount) = secret_volume(validated, "mirrors", MIRRORS_DIRECTORY);
    volume["secret"]["optional"] = json!(true);
    (volume, mount)
}

fn empty_dir(validated: &Validated) -> Value {
    let limit = validated.spec.storage.empty_dir.as_ref().and_then(|volume| volume.size_limit.as_ref());
    limit.map_or_else(|| json!({}), |limit| json!({"sizeLimit": limit}))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::validated;

    #[test]
    fn mirrors_over_a_bucket_have_a_folder_for_what_is_on_its_way() {
        let has =
            |spec: &str| volumes(&validated(spec)).iter().any(|(_, mount)| mount["mountPath"] == "/tmp");
        assert!(has("{storage: {s3: {bucket: images, region: eu-west-1}}}"));
        assert!(!has("{mirrors: [{upstream: docker.io}]}"));
    }

    #[test]
    fn the_volume_is_the_one_of_the_spec() {
        let data = |spec: &str| volumes(&validated(spec)).remove(0).0;
        assert_eq!(data("{}"), json!({"name": "data", "persistentVolumeClaim": {"claimName": "hub"}}));
        assert_eq!(data("{storage: {claimName: images}}")["persistentVolumeClaim"]["claimName"], "images");
        assert_eq!(data("{storage: {emptyDir: {sizeLimit: 1Gi}}}")["emptyDir"], json!({"sizeLimit": "1Gi"}));
    }
}
