//! The objects that operator and node agents meet in. All of them come with the chart, so that nobody needs the right to make any.

use k8s_openapi::api::{
    apps::v1::DaemonSet,
    core::v1::{ConfigMap, Pod},
};
use kube::{Api, Client, Resource, core::NamespaceResourceScope};

use crate::config::ObjectName;

/// What the names of the reports end with.
const REPORTS: &str = "-reports";

/// Where node agents are told what nodes shall know, and where they report.
#[derive(Clone, Debug)]
pub struct Objects(ObjectName);

impl Objects {
    /// The objects of the agents of a DaemonSet.
    pub fn of(daemon_set: ObjectName) -> Self {
        Self(daemon_set)
    }

    /// The name of the DaemonSet, and of the ConfigMap that tells its agents.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The name of the ConfigMap that they report in.
    pub fn reports_name(&self) -> String {
        format!("{}{REPORTS}", self.0.name)
    }

    /// Who marks what the agents write.
    pub fn owner(&self) -> String {
        format!("{}/{}", self.0.namespace, self.0.name)
    }

    /// The ConfigMaps of their namespace.
    pub fn config_maps(&self, client: &Client) -> Api<ConfigMap> {
        self.of_namespace(client)
    }

    /// The DaemonSets of their namespace.
    pub fn daemon_sets(&self, client: &Client) -> Api<DaemonSet> {
        self.of_namespace(client)
    }

    /// The pods of their namespace.
    pub fn pods(&self, client: &Client) -> Api<Pod> {
        self.of_namespace(client)
    }

    /// A kind in their namespace.
    pub fn of_namespace<K>(&self, client: &Client) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(client.clone(), &self.0.namespace)
    }
}
