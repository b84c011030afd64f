//! Names, labels and owner references of the objects that belong to a Registry.
//!
//! All of them follow from the Registry's name, so that an object is found again without remembering anything.

use std::collections::BTreeMap;

use berth_crds::{Registry, RegistryAccess};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::{Resource, ResourceExt};

/// The field manager of everything that the operator applies, and the value of the label [`MANAGED_BY`].
pub const OPERATOR: &str = "berth-operator";

/// The label that names the tool in charge of an object.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// The label that names the Registry that an object belongs to.
pub const INSTANCE: &str = "app.kubernetes.io/instance";

/// The label that names the RegistryAccess that an object belongs to.
pub const ACCESS: &str = "berth.dev/registry-access";

/// The component of the pods that serve.
pub const SERVER: &str = "registry";

/// The port of the pods that serve at which they are asked for metrics, and for what they have loaded.
pub const METRICS: &str = "metrics";

/// The component of the pods that start a garbage collection.
pub const GARBAGE_COLLECTION: &str = "garbage-collection";

/// The component of the pods that copy from other registries and to them.
pub const REPLICATION: &str = "replication";

/// The label that names the copy that a pod makes.
pub const COPY: &str = "berth.dev/copy";

/// The Registry, or the RegistryAccess, that an object belongs to.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The owner's name.
    pub name: String,
    /// The owner's namespace.
    pub namespace: String,
    uid: String,
    kind: String,
    /// The label that names the owner.
    label: &'static str,
    owner: Option<OwnerReference>,
}

impl Identity {
    /// The identity of `registry`.
    pub fn of(registry: &Registry) -> Self {
        Self::labelled(registry, INSTANCE)
    }

    /// The identity of `access`.
    pub fn of_access(access: &RegistryAccess) -> Self {
        Self::labelled(access, ACCESS)
    }

    fn labelled<K: Resource<DynamicType = ()>>(owner: &K, label: &'static str) -> Self {
        Self {
            name: owner.name_any(),
            namespace: owner.namespace().unwrap_or_default(),
            uid: owner.uid().unwrap_or_default(),
            kind: K::kind(&()).into_owned(),
            label,
            owner: owner.controller_owner_ref(&()),
        }
    }

    /// The name of the Registry with a suffix, such as `hub-admin`.
    pub fn child(&self, suffix: &str) -> String {
        format!("{}-{suffix}", self.name)
    }

    /// The metadata of an object that is deleted together with the Registry.
    pub fn owned(&self, name: String) -> ObjectMeta {
        ObjectMeta { owner_references: self.owner.clone().map(|owner| vec![owner]), ..self.kept(name) }
    }

    /// The metadata of an object that outlives the Registry.
    pub fn kept(&self, name: String) -> ObjectMeta {
        ObjectMeta {
            name: Some(name),
            namespace: Some(self.namespace.clone()),
            labels: Some(self.labels()),
            ..ObjectMeta::default()
        }
    }

    /// The labels of every object of the owner.
    pub fn labels(&self) -> BTreeMap<String, String> {
        labels([
            ("app.kubernetes.io/name", "berth-registry"),
            (self.label, &self.name),
            (MANAGED_BY, OPERATOR),
        ])
    }

    /// The labels of the Registry's pods of one component.
    pub fn pod_labels(&self, component: &str) -> BTreeMap<String, String> {
        let mut labels = self.labels();
        labels.insert("app.kubernetes.io/component".to_owned(), component.to_owned());
        labels
    }

    /// What selects the pods that serve. A Deployment's selector cannot be changed, so this never may.
    pub fn selector(&self) -> BTreeMap<String, String> {
        labels([
            ("app.kubernetes.io/name", "berth-registry"),
            (INSTANCE, &self.name),
            ("app.kubernetes.io/component", SERVER),
        ])
    }

    /// [`selector`](Self::selector) as a query spells it.
    pub fn selector_text(&self) -> String {
        let pairs: Vec<String> =
            self.selector().iter().map(|(key, value)| format!("{key}={value}")).collect();
        pairs.join(",")
    }

    /// Whether an object that exists is this owner's: it owns it, or it is labelled so and nobody else controls it.
    /// The latter is true of a retained claim, and of what a deleted Registry of the same name leaves for a moment.
    pub fn has(&self, object: &ObjectMeta) -> bool {
        let owners = object.owner_references.as_deref().unwrap_or_default();
        let label = |key| object.labels.as_ref().and_then(|labels| labels.get(key)).map(String::as_str);
        owners.iter().any(|owner| owner.uid == self.uid)
            || (label(MANAGED_BY) == Some(OPERATOR)
                && label(self.label) == Some(&self.name)
                && owners.iter().all(|owner| owner.kind == self.kind))
    }
}

fn labels<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    #[test]
    fn an_object_with_our_labels_is_ours_unless_somebody_else_owns_it() {
        let identity = Identity::of(&fixtures::registry("{}"));
        let mut object = identity.kept("hub".to_owned());
        assert!(identity.has(&object));

        object.owner_references =
            Some(vec![OwnerReference { kind: "Issuer".to_owned(), ..OwnerReference::default() }]);
        assert!(!identity.has(&object));
    }

    #[test]
    fn a_registry_and_an_access_of_the_same_name_have_different_objects() {
        let registry = Identity::of(&fixtures::registry("{}"));
        let access = fixtures::access("default", "hub", "{allow: [{repositories: [x]}]}");
        let access = Identity::of_access(&access);
        assert!(!registry.has(&access.owned("x".to_owned())) && !registry.has(&access.kept("x".to_owned())));
        assert!(!access.has(&registry.owned("x".to_owned())) && !access.has(&registry.kept("x".to_owned())));
    }

    #[test]
    fn an_object_that_lost_its_labels_is_still_ours() {
        let identity = Identity::of(&fixtures::registry("{}"));
        let object = ObjectMeta { labels: None, ..identity.owned("hub".to_owned()) };
        assert!(identity.has(&object));
    }

    #[test]
    fn an_object_of_somebody_else_is_not_ours() {
        let identity = Identity::of(&fixtures::registry("{}"));
        assert!(!identity.has(&ObjectMeta { name: Some("hub".to_owned()), ..ObjectMeta::default() }));
    }
}
