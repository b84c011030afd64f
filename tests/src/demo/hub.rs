//! A Registry object and what the operator makes for it.

use super::Target;
use crate::cluster::{HostAccess, Kubectl, wait};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::net::IpAddr;
use std::time::Duration;

/// The five lines.
pub const HUB: &str = "\
apiVersion: berth.dev/v1alpha1
kind: Registry
metadata:
  name: hub
spec: {}
";

/// The registry `NAME` in a namespace, seen as a user sees it.
#[derive(Debug, Clone)]
pub struct Hub {
    kubectl: Kubectl,
    /// The namespace of the Registry object.
    pub namespace: String,
    /// The name of the Registry object.
    pub name: String,
}

impl Hub {
    /// The registry of the five lines, in a namespace.
    pub fn new(kubectl: &Kubectl, namespace: &str) -> Self {
        Self { kubectl: kubectl.clone(), namespace: namespace.to_owned(), name: "hub".to_owned() }
    }

    /// Another registry in the same namespace.
    #[must_use]
    pub fn beside(&self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self.clone() }
    }

    /// Creates the Registry and waits until it is ready.
    pub fn create(&self) -> Result<()> {
        self.apply(HUB)?;
        self.wait_until_ready()
    }

    /// Waits until pulls and pushes work; the error shows what the Registry says about itself.
    pub fn wait_until_ready(&self) -> Result<()> {
        let registry = format!("registry.berth.dev/{}", self.name);
        let ready = ["wait", "--for=condition=Ready", &registry, "--timeout=180s"];
        self.run(&ready).map(drop).with_context(|| self.diagnosis())
    }

    /// Deletes the Registry and waits until it is gone.
    pub fn delete(&self) -> Result<()> {
        self.run(&["delete", "registry.berth.dev", &self.name, "--ignore-not-found", "--wait"]).map(drop)
    }

    /// The name that stands before the slash in references to images.
    pub fn host(&self) -> Result<String> {
        self.field("registry.berth.dev", &self.name, "{.status.host}")
    }

    /// The certificate authority that clients are to trust.
    pub fn authority(&self) -> Result<String> {
        self.field("configmap", &format!("{}-ca", self.name), r"{.data.ca\.crt}")
    }

    /// One value of the Secret of the registry's administrator, in base64.
    pub(super) fn admin(&self, key: &str) -> Result<String> {
        self.field("secret", &format!("{}-admin", self.name), &format!("{{.data.{key}}}"))
    }

    /// Waits until the node agent has led the nodes to the registry, by the authorities that it has now.
    pub fn wait_for_nodes(&self, target: &Target) -> Result<()> {
        let ready = ["wait", "--for=condition=NodesReady", "registry.berth.dev/hub", "--timeout=120s"];
        self.run(&ready).map(drop).with_context(|| self.diagnosis())?;
        let Target::Own(cluster) = target else { return Ok(()) };
        let (folder, _) = cluster.registry_folder();
        let authority = folder.join(self.host()?).join("ca.crt");
        wait::until("the node to trust the registry", Duration::from_mins(2), || {
            ensure!(fs::read_to_string(&authority)? == self.authority()?, "it trusts something else");
            Ok(())
        })
    }

    /// The registry under its name on this machine.
    pub fn on_this_machine(&self, target: &Target) -> Result<HostAccess> {
        match target {
            Target::Own(cluster) => cluster.host_access(&self.host()?, self.cluster_ip()?),
            Target::Foreign { kubectl, .. } => {
                HostAccess::by_port_forward(kubectl, &self.namespace, &self.name)
            }
        }
    }

    /// `kubectl` in the namespace of the Registry.
    pub fn run(&self, arguments: &[&str]) -> Result<String> {
        self.kubectl.run(&[&["--namespace", &self.namespace], arguments].concat())
    }

    /// Creates or changes objects in the namespace of the Registry.
    pub fn apply(&self, documents: &str) -> Result<()> {
        self.kubectl
            .run_with_input(&["apply", "--namespace", &self.namespace, "-f", "-"], documents)
            .map(drop)
    }

    /// Posts a document to a path of the API server.
    pub fn create_raw(&self, path: &str, document: &str) -> Result<()> {
        self.kubectl.run_with_input(&["create", "--raw", path, "-f", "-"], document).map(drop)
    }

    fn cluster_ip(&self) -> Result<IpAddr> {
        Ok(self.field("service", &self.name, "{.spec.clusterIP}")?.parse()?)
    }

    fn field(&self, kind: &str, name: &str, path: &str) -> Result<String> {
        self.kubectl.field(&["--namespace", &self.namespace, kind, name], path)
    }

    /// What helps to see why a Registry does not become ready.
    fn diagnosis(&self) -> String {
        let questions: [&[&str]; 4] = [
            &["get", "registry.berth.dev", &self.name, "--output=yaml"],
            &["get", "all,pvc", "--output=wide"],
            &["get", "events", "--sort-by=.lastTimestamp"],
            &["logs", "--namespace=berth-system", "--selector=app.kubernetes.io/name=berth", "--tail=40"],
        ];
        let answers =
            questions.map(|question| self.run(question).unwrap_or_else(|error| format!("{error:#}")));
        answers.join("\n")
    }
}
