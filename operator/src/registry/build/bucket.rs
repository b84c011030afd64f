//! What the registry needs to keep its images in a bucket: a section of its configuration, and the files of the Secret
//! `NAME-storage`, which holds copies of what the spec refers to, so that a pod starts also after those are gone.

use base64::{Engine, engine::general_purpose::STANDARD};
use berth_crds::s3::S3;
use serde_json::{Map, Value, json};

use crate::{
    apply::Desired,
    metadata::Identity,
    registry::validate::{ACCESS_KEY, AUTHORITIES, Files, SECRET_KEY, SESSION_TOKEN, Validated},
};

/// Where the container finds the files.
const DIRECTORY: &str = "/etc/berth/storage";

/// The section `storage.s3`. It holds no secret.
pub(super) fn section(s3: &S3, files: Option<&Files>) -> Value {
    let mut section = json!({"bucket": s3.bucket, "forcepathstyle": s3.path_style, "encrypt": s3.encrypt});
    let authorities = files.filter(|files| files.contains_key(AUTHORITIES)).map(|_| path(AUTHORITIES));
    let optional = [
        ("region", s3.region.clone()),
        ("regionendpoint", s3.endpoint.clone()),
        ("rootdirectory", s3.prefix.clone()),
        ("keyid", s3.kms_key_id.clone()),
        ("storageclass", s3.storage_class.clone()),
        ("trustedca", authorities),
    ];
    for (key, value) in optional {
        if let Some(value) = value {
            section[key] = json!(value);
        }
    }
    if s3.create_bucket {
        section["createbucket"] = json!(true);
    }
    section
}

/// The Secret with the files, where there are any.
pub(super) fn secret(identity: &Identity, files: Option<&Files>) -> Desired<Value> {
    let Some(files) = files else {
        return Desired::AsIs;
    };
    if files.is_empty() {
        return Desired::Absent;
    }
    let encoded = files.iter().map(|(name, value)| ((*name).to_owned(), STANDARD.encode(value).into()));
    Desired::Present(json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": identity.owned(identity.child("storage")),
        "type": "Opaque",
        "data": encoded.collect::<Map<_, Value>>(),
    }))
}

/// The variables that tell the registry where the access key is.
pub(super) fn variables(files: &Files) -> Vec<Value> {
    let names = [
        ("REGISTRY_STORAGE_S3_ACCESSKEY_FILE", ACCESS_KEY),
        ("REGISTRY_STORAGE_S3_SECRETKEY_FILE", SECRET_KEY),
        ("REGISTRY_STORAGE_S3_SESSIONTOKEN_FILE", SESSION_TOKEN),
    ];
    let given = names.into_iter().filter(|(_, file)| files.contains_key(file));
    given.map(|(name, file)| json!({"name": name, "value": path(file)})).collect()
}

/// The volume with the files, and where it is mounted.
pub(super) fn volume(validated: &Validated) -> Option<(Value, Value)> {
    validated.storage.files.as_ref().filter(|files| !files.is_empty())?;
    let secret = validated.identity.child("storage");
    Some((
        json!({"name": "storage", "secret": {"secretName": secret, "defaultMode": 0o440}}),
        json!({"name": "storage", "mountPath": DIRECTORY, "readOnly": true}),
    ))
}

fn path(file: &str) -> String {
    format!("{DIRECTORY}/{file}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{registry, validated};

    fn files() -> Files {
        [(ACCESS_KEY, "A"), (SECRET_KEY, "S"), (AUTHORITIES, "CA")]
            .map(|(name, value)| (name, value.to_owned()))
            .into()
    }

    fn section_of(s3: &str, files: Option<&Files>) -> Value {
        let registry = registry(&format!("{{storage: {{s3: {s3}}}}}"));
        section(registry.spec.storage.s3.as_ref().unwrap(), files)
    }

    #[test]
    fn the_section_says_what_the_spec_says_and_no_secret() {
        assert_eq!(
            section_of("{bucket: images, region: eu-central-1}", Some(&Files::new())),
            json!({"bucket": "images", "region": "eu-central-1", "forcepathstyle": true, "encrypt": false})
        );
        let full = "{bucket: images, endpoint: 'https://minio:9000', pathStyle: false, prefix: hub, secretName: key, \
                     caSecretName: ca, encrypt: true, kmsKeyId: k, storageClass: STANDARD_IA}";
        assert_eq!(
            section_of(full, Some(&files())),
            json!({
                "bucket": "images", "regionendpoint": "https://minio:9000", "forcepathstyle": false,
                "rootdirectory": "hub", "encrypt": true, "keyid": "k", "storageclass": "STANDARD_IA",
                "trustedca": "/etc/berth/storage/ca.crt",
            })
        );
    }

    #[test]
    fn the_registry_finds_the_access_key_in_files() {
        assert_eq!(
            variables(&files()),
            [
                json!({"name": "REGISTRY_STORAGE_S3_ACCESSKEY_FILE", "value": "/etc/berth/storage/accesskey"}),
                json!({"name": "REGISTRY_STORAGE_S3_SECRETKEY_FILE", "value": "/etc/berth/storage/secretkey"}),
            ]
        );
        assert!(variables(&Files::new()).is_empty());
    }

    #[test]
    fn there_is_a_secret_only_for_files_that_are_known() {
        let identity = validated("{}").identity;
        let Desired::Present(built) = secret(&identity, Some(&files())) else { panic!() };
        assert_eq!(built["metadata"]["name"], "hub-storage");
        assert_eq!(built["data"]["secretkey"], "Uw==");
        assert_eq!(secret(&identity, Some(&Files::new())), Desired::Absent);
        assert_eq!(secret(&identity, None), Desired::AsIs);
    }
}
