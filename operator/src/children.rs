//! The objects of a Registry as the API server has them, found by kind and name.

use std::{collections::BTreeMap, fmt};

use k8s_openapi::api::{
    apps::v1::Deployment,
    batch::v1::CronJob,
    core::v1::{ConfigMap, PersistentVolumeClaim, Secret, Service, ServiceAccount},
    networking::v1::{Ingress, NetworkPolicy},
    policy::v1::PodDisruptionBudget,
};
use kube::{
    Api, Client, Resource,
    api::{ApiResource, DynamicObject, GroupVersionKind},
};
use serde::de::DeserializeOwned;

/// The kinds of object that the operator makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are Kubernetes' own")]
pub enum Kind {
    ServiceAccount,
    Secret,
    ConfigMap,
    PersistentVolumeClaim,
    Service,
    Ingress,
    NetworkPolicy,
    PodDisruptionBudget,
    Deployment,
    CronJob,
    Certificate,
    HTTPRoute,
    BackendTLSPolicy,
    ServersTransport,
}

/// An object by kind and name; its namespace is the Registry's.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChildId {
    /// What it is.
    pub kind: Kind,
    /// What it is called.
    pub name: String,
}

/// Those objects of a Registry that exist.
#[derive(Clone, Debug, Default)]
pub struct Children(BTreeMap<ChildId, DynamicObject>);

impl Kind {
    /// The kinds that are served only where somebody has installed them.
    pub const OPTIONAL: [Self; 4] =
        [Self::Certificate, Self::HTTPRoute, Self::BackendTLSPolicy, Self::ServersTransport];

    /// Where the API server serves it.
    pub fn api_resource(self) -> ApiResource {
        match self {
            Self::ServiceAccount => ApiResource::erase::<ServiceAccount>(&()),
            Self::Secret => ApiResource::erase::<Secret>(&()),
            Self::ConfigMap => ApiResource::erase::<ConfigMap>(&()),
            Self::PersistentVolumeClaim => ApiResource::erase::<PersistentVolumeClaim>(&()),
            Self::Service => ApiResource::erase::<Service>(&()),
            Self::Ingress => ApiResource::erase::<Ingress>(&()),
            Self::NetworkPolicy => ApiResource::erase::<NetworkPolicy>(&()),
            Self::PodDisruptionBudget => ApiResource::erase::<PodDisruptionBudget>(&()),
            Self::Deployment => ApiResource::erase::<Deployment>(&()),
            Self::CronJob => ApiResource::erase::<CronJob>(&()),
            Self::Certificate => {
                ApiResource::from_gvk(&GroupVersionKind::gvk("cert-manager.io", "v1", "Certificate"))
            }
            Self::HTTPRoute => custom("gateway.networking.k8s.io", "v1", "HTTPRoute", "httproutes"),
            // Of older releases of the Gateway API, it is an experiment and looks different in each.
            Self::BackendTLSPolicy => {
                custom("gateway.networking.k8s.io", "v1", "BackendTLSPolicy", "backendtlspolicies")
            }
            Self::ServersTransport => {
                custom("traefik.io", "v1alpha1", "ServersTransport", "serverstransports")
            }
        }
    }
}

/// A kind that no crate here has a type for.
fn custom(group: &str, version: &str, kind: &str, plural: &str) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
}

impl ChildId {
    /// The object of this kind and name.
    pub fn new(kind: Kind, name: String) -> Self {
        Self { kind, name }
    }

    /// The API that serves it in `namespace`.
    pub fn api(&self, client: &Client, namespace: &str) -> Api<DynamicObject> {
        Api::namespaced_with(client.clone(), namespace, &self.kind.api_resource())
    }
}

impl fmt::Display for ChildId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?} {}", self.kind, self.name)
    }
}

impl Children {
    /// The object of type `K` and this name, if it exists.
    pub fn get<K>(&self, name: &str) -> Option<K>
    where
        K: Resource<DynamicType = ()> + DeserializeOwned,
    {
        let kind = K::kind(&());
        let same = |id: &ChildId| id.name == name && id.kind.api_resource().kind == kind;
        let (_, object) = self.0.iter().find(|(id, _)| same(id))?;
        object.clone().try_parse().ok()
    }

    /// The object as the API server sent it.
    pub fn raw(&self, id: &ChildId) -> Option<&DynamicObject> {
        self.0.get(id)
    }

    /// Adds an object, or replaces an older state of it.
    pub fn insert(&mut self, id: ChildId, object: DynamicObject) {
        self.0.insert(id, object);
    }

    /// Takes note that an object is gone.
    pub fn remove(&mut self, id: &ChildId) {
        self.0.remove(id);
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&ChildId, &DynamicObject)> {
        self.0.iter()
    }
}
