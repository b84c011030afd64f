//! How an object of another namespace says which Registry it belongs to. Owner references cannot cross namespaces: the garbage
//! collector of Kubernetes would remove the object.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::metadata::{MANAGED_BY, OPERATOR};

/// The label with the namespace of the Registry.
const NAMESPACE: &str = "berth.dev/registry-namespace";

/// The label with the name of the Registry.
const NAME: &str = "berth.dev/registry-name";

/// The label with the uid of the Registry.
const UID: &str = "berth.dev/registry-uid";

/// The Registry that an object of any namespace belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) namespace: String,
    pub(super) name: String,
    uid: String,
}

impl Owner {
    /// The Registry with this metadata, as an owner.
    pub(super) fn of(registry: &ObjectMeta) -> Self {
        Self {
            namespace: registry.namespace.clone().unwrap_or_default(),
            name: registry.name.clone().unwrap_or_default(),
            uid: registry.uid.clone().unwrap_or_default(),
        }
    }

    /// The name of the Secret that is copied, beside the Registry.
    pub(super) fn original(&self) -> String {
        format!("{}-pull", self.name)
    }

    /// The namespace and name of the Registry that the labels of an object name.
    pub(super) fn named_by(object: &ObjectMeta) -> Option<(&str, &str)> {
        let label = |key| object.labels.as_ref()?.get(key).map(String::as_str);
        (label(MANAGED_BY)? == OPERATOR).then_some((label(NAMESPACE)?, label(NAME)?))
    }

    /// Whether an object belongs to this Registry, or to one of the same name and namespace before it.
    pub(super) fn has(&self, object: &ObjectMeta) -> bool {
        Self::named_by(object) == Some((&self.namespace, &self.name))
    }

    /// The labels of what belongs to the Registry. The one that names an instance is not among them: a Registry of the
    /// same name in that other namespace would take the object for its own.
    pub(super) fn labels(&self) -> BTreeMap<String, String> {
        let pairs =
            [(MANAGED_BY, OPERATOR), (NAMESPACE, &self.namespace), (NAME, &self.name), (UID, &self.uid)];
        pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    /// What selects everything that belongs to the Registry.
    pub(super) fn selector(&self) -> String {
        format!("{MANAGED_BY}={OPERATOR},{NAMESPACE}={},{NAME}={}", self.namespace, self.name)
    }

    /// The label and annotation of a ServiceAccount that got an entry from this Registry.
    pub(super) fn mark(&self) -> String {
        format!("pull-secret.berth.dev/{}", self.uid)
    }
}

#[cfg(test)]
mod tests {
    use kube::Resource;

    use super::*;
    use crate::{fixtures, metadata::Identity};

    fn labelled(owner: &Owner) -> ObjectMeta {
        ObjectMeta { labels: Some(owner.labels()), ..ObjectMeta::default() }
    }

    #[test]
    fn an_object_belongs_to_the_registry_of_its_labels() {
        let hub = Owner::of(fixtures::registry("{}").meta());
        assert!(hub.has(&labelled(&hub)));
        let other = Owner { namespace: "other".to_owned(), ..hub.clone() };
        assert!(!hub.has(&labelled(&other)));
        assert!(!hub.has(&ObjectMeta::default()));
    }

    #[test]
    fn the_next_registry_of_the_same_name_takes_over() {
        let hub = Owner::of(fixtures::registry("{}").meta());
        let earlier = Owner { uid: "1".to_owned(), ..hub.clone() };
        assert!(hub.has(&labelled(&earlier)));
    }

    #[test]
    fn a_registry_of_that_name_beside_the_object_does_not_take_it_for_its_own() {
        let registry = fixtures::registry("{}");
        assert!(!Identity::of(&registry).has(&labelled(&Owner::of(registry.meta()))));
    }
}
