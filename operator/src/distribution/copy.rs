//! A copy of the Registry's pull Secret in a namespace: made when it is absent, put right when it differs, removed when it is no
//! longer wanted, and never at the cost of a Secret that somebody else made.

use std::collections::BTreeMap;

use k8s_openapi::{ByteString, api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{
    Api, Client, Resource,
    api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions},
};
use serde_json::{Map, Value, json};
use tracing::info;

use super::{
    FIELD_MANAGER,
    owner::Owner,
    settled::Place,
    written::{ATTEMPTS, Written, is_conflict},
};
use crate::digest::sha256_hex;

/// What every copy looks like. It holds a password, so it has no `Debug`.
pub(super) struct Template {
    owner: Owner,
    name: String,
    kind: Option<String>,
    data: BTreeMap<String, ByteString>,
    digest: String,
}

impl Template {
    /// Copies of `original` under this name.
    pub(super) fn of(original: &Secret, name: &str, owner: &Owner) -> Self {
        let (kind, data) = (original.type_.clone(), original.data.clone().unwrap_or_default());
        let digest = sha256_hex(json!([owner.labels(), name, kind, data]).to_string().as_bytes());
        Self { owner: owner.clone(), name: name.to_owned(), kind, data, digest }
    }

    /// What tells this template from others.
    pub(super) fn digest(&self) -> &str {
        &self.digest
    }

    fn is_met_by(&self, live: &Secret) -> bool {
        let labels = live.metadata.labels.clone().unwrap_or_default();
        live.type_ == self.kind
            && live.data.as_ref() == Some(&self.data)
            && self.owner.labels().iter().all(|(key, value)| labels.get(key) == Some(value))
    }

    fn copy(&self) -> Secret {
        let metadata = ObjectMeta {
            name: Some(self.name.clone()),
            labels: Some(self.owner.labels()),
            ..ObjectMeta::default()
        };
        Secret { metadata, type_: self.kind.clone(), data: Some(self.data.clone()), ..Secret::default() }
    }

    /// A merge patch of exactly the object that was looked at: its keys become those of the original.
    fn amendment(&self, live: &Secret) -> Value {
        let superfluous = live.data.iter().flatten().filter(|(key, _)| !self.data.contains_key(*key));
        let mut data: Map<String, Value> = superfluous.map(|(key, _)| (key.clone(), Value::Null)).collect();
        data.extend(self.data.iter().map(|(key, value)| (key.clone(), json!(value))));
        let version = &live.metadata.resource_version;
        json!({"metadata": {"resourceVersion": version, "labels": self.owner.labels()}, "data": data})
    }
}

/// Makes the copy in a namespace, or puts it right.
pub(super) async fn bring(
    client: &Client,
    place: Place,
    template: &Template,
) -> Result<Written, kube::Error> {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &place.namespace);
    let manager = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    let creator = PostParams { field_manager: manager.field_manager.clone(), ..PostParams::default() };
    for _ in 0..ATTEMPTS {
        let attempt = match secrets.get_opt(&template.name).await {
            Ok(None) => secrets.create(&creator, &template.copy()).await,
            Ok(Some(live)) if !template.owner.has(live.meta()) => return Ok(Written::Taken),
            Ok(Some(live)) if template.is_met_by(&live) => return Ok(Written::Done(Box::new(live.metadata))),
            Ok(Some(live)) => {
                secrets.patch(&template.name, &manager, &Patch::Merge(template.amendment(&live))).await
            }
            Err(error) => Err(error),
        };
        match attempt {
            Ok(copy) => {
                info!(%place, "pull Secret written");
                return Ok(Written::Done(Box::new(copy.metadata)));
            }
            Err(error) if is_conflict(&error) => {}
            Err(error) => return Written::after(error),
        }
    }
    Ok(Written::contended())
}

/// Removes a copy. It is looked at once more before, and only what was looked at is removed.
pub(super) async fn remove(client: &Client, place: Place, owner: &Owner) -> Result<Written, kube::Error> {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &place.namespace);
    for _ in 0..ATTEMPTS {
        let attempt = match secrets.get_metadata_opt(&place.name).await {
            Ok(Some(live)) if owner.has(&live.metadata) => {
                secrets.delete(&place.name, &DeleteParams::default().preconditions(only(live.metadata))).await
            }
            Ok(_) => return Ok(Written::Gone),
            Err(error) => Err(error),
        };
        match attempt {
            Ok(_) => {
                info!(%place, "pull Secret removed");
                return Ok(Written::Gone);
            }
            Err(error) if is_conflict(&error) => {}
            Err(error) => return Written::after(error),
        }
    }
    Ok(Written::contended())
}

fn only(live: ObjectMeta) -> Preconditions {
    Preconditions { uid: live.uid, resource_version: live.resource_version }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    fn original() -> Secret {
        serde_json::from_value(json!({
            "metadata": {"name": "hub-pull", "namespace": "default", "labels": {"app.kubernetes.io/instance": "hub"}},
            "type": "kubernetes.io/dockerconfigjson",
            "data": {".dockerconfigjson": "e30=", "ca.crt": "Q0E="},
        }))
        .unwrap()
    }

    fn template(original: &Secret) -> Template {
        Template::of(original, "registry", &Owner::of(fixtures::registry("{}").meta()))
    }

    #[test]
    fn a_copy_has_the_content_of_the_original_and_labels_of_its_own() {
        let template = template(&original());
        let copy = template.copy();
        assert!(template.is_met_by(&copy));
        assert_eq!((&copy.data, &copy.type_), (&original().data, &original().type_));
        let labels = copy.metadata.labels.unwrap();
        assert_eq!(labels["berth.dev/registry-name"], "hub");
        assert!(!labels.contains_key("app.kubernetes.io/instance"));
    }

    #[test]
    fn a_key_that_the_original_lacks_goes_away_and_labels_of_others_stay() {
        let mut live = template(&original()).copy();
        live.metadata.resource_version = Some("5".to_owned());
        let mut without = original();
        without.data.as_mut().unwrap().remove("ca.crt");
        let template = template(&without);
        assert!(!template.is_met_by(&live));
        let patch = template.amendment(&live);
        assert_eq!(patch["data"], json!({".dockerconfigjson": "e30=", "ca.crt": null}));
        assert_eq!(patch["metadata"]["resourceVersion"], "5");

        let mut labelled = template.copy();
        labelled.metadata.labels.as_mut().unwrap().insert("team".to_owned(), "a".to_owned());
        assert!(template.is_met_by(&labelled));
    }

    #[test]
    fn another_password_is_another_template() {
        let mut rotated = original();
        rotated.data.as_mut().unwrap().insert(".dockerconfigjson".to_owned(), ByteString(b"{ }".to_vec()));
        assert_ne!(template(&original()).digest(), template(&rotated).digest());
    }
}
