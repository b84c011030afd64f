//! The control plane and the operator that all tests share, and a namespace for each test.

use std::{collections::BTreeSet, future, path::Path, sync::LazyLock, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use berth_operator::config::{Config, LogFormat, PullPolicy};
use berth_tests::{
    cluster::{ControlPlane, Kubectl, wait},
    operator::{OperatorProcess, Options, connection},
};
use kube::client::ClientBuilder;
use serde_json::Value;
use tower::util::MapRequestLayer;

use crate::{nodes, requests};

/// How long a condition may take to come true on a loaded machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

static CONTROL_PLANE: LazyLock<ControlPlane> =
    LazyLock::new(|| start().expect("a control plane with the operator"));

/// A namespace with `kubectl` in it.
pub(crate) struct Namespace {
    pub(crate) name: &'static str,
    kubectl: Kubectl,
}

impl Namespace {
    /// A new namespace.
    pub(crate) fn create(name: &'static str) -> Result<Self> {
        let kubectl = CONTROL_PLANE.kubectl().clone();
        kubectl.run(&["create", "namespace", name])?;
        Ok(Self { name, kubectl })
    }

    /// `kubectl` in this namespace.
    pub(crate) fn run(&self, arguments: &[&str]) -> Result<String> {
        self.kubectl.run(&[&["--namespace", self.name], arguments].concat())
    }

    /// Applies the Registry `hub` with a spec in YAML flow style.
    pub(crate) fn apply_registry(&self, spec: &str) -> Result<()> {
        self.apply(&format!(
            "apiVersion: berth.dev/v1alpha1\nkind: Registry\nmetadata: {{name: hub}}\nspec: {spec}\n"
        ))
    }

    /// Applies a manifest.
    pub(crate) fn apply(&self, manifest: &str) -> Result<()> {
        let arguments = [
            "--namespace",
            self.name,
            "apply",
            "--server-side",
            "--force-conflicts",
            "--field-manager=test",
            "-f",
            "-",
        ];
        self.kubectl.run_with_input(&arguments, manifest).map(|_| ())
    }

    /// Makes an `IngressClass`, which belongs to no namespace.
    pub(crate) fn create_ingress_class(&self, name: &str, controller: &str) -> Result<()> {
        self.apply(&format!(
            "{{apiVersion: networking.k8s.io/v1, kind: IngressClass, metadata: {{name: {name}}}, spec: {{controller: {controller}}}}}"
        ))
    }

    /// Speaks for a controller that the control plane does not have: merges this into the status of an object.
    pub(crate) fn report(&self, object: &str, status: &Value) -> Result<()> {
        let patch = serde_json::json!({ "status": status }).to_string();
        self.run(&["patch", object, "--subresource=status", "--type=merge", "--patch", &patch]).map(|_| ())
    }

    /// The names and addresses that the serving certificate is for.
    pub(crate) fn names_in_certificate(&self) -> Result<BTreeSet<String>> {
        let certificate = self.secret_text("hub-tls", "tls.crt")?;
        Ok(berth_operator::registry::certificates::inspect(&certificate)?.names)
    }

    /// An object, such as `secret/hub-admin`.
    pub(crate) fn get(&self, object: &str) -> Result<Value> {
        Ok(serde_json::from_str(&self.run(&["get", object, "--output=json"])?)?)
    }

    /// A key of a Secret, decoded.
    pub(crate) fn secret_text(&self, secret: &str, key: &str) -> Result<String> {
        let template = format!("--template={{{{index .data {key:?} | base64decode}}}}");
        self.run(&["get", &format!("secret/{secret}"), "--output=go-template", &template])
    }

    /// A condition of the Registry `hub`.
    pub(crate) fn condition(&self, about: &str) -> Result<Condition> {
        let registry = self.get("registry/hub")?;
        let conditions = registry["status"]["conditions"].as_array().context("no conditions yet")?;
        let condition = conditions.iter().find(|condition| condition["type"] == about);
        let condition = condition.with_context(|| format!("no condition {about} yet"))?;
        ensure!(
            condition["observedGeneration"] == registry["metadata"]["generation"],
            "the condition is about an older generation"
        );
        let text = |key: &str| condition[key].as_str().unwrap_or_default().to_owned();
        Ok(Condition { status: text("status"), reason: text("reason"), message: text("message") })
    }

    /// Waits until a condition of the Registry `hub` has this reason.
    pub(crate) fn wait_for_reason(&self, about: &str, reason: &str) -> Result<Condition> {
        wait::until(&format!("{about} because of {reason} in {}", self.name), PATIENCE, || {
            let condition = self.condition(about)?;
            ensure!(condition.reason == reason, "it is {condition:?}");
            Ok(condition)
        })
    }

    /// Waits until every object of the Registry `hub` exists.
    pub(crate) fn wait_for_objects(&self) -> Result<()> {
        wait::until(&format!("the objects in {}", self.name), PATIENCE, || {
            OBJECTS.iter().try_for_each(|object| self.get(object).map(|_| ()))
        })
    }
}

/// Every object of a Registry `hub`.
pub(crate) const OBJECTS: [&str; 15] = [
    "secret/hub-ca",
    "secret/hub-tls",
    "secret/hub-accounts",
    "secret/hub-admin",
    "secret/hub-pull",
    "secret/hub-auth",
    "configmap/hub-config",
    "configmap/hub-ca",
    "persistentvolumeclaim/hub",
    "serviceaccount/hub",
    "serviceaccount/hub-gc",
    "service/hub",
    "networkpolicy/hub",
    "deployment/hub",
    "cronjob/hub-gc",
];

/// What a Registry says about one thing.
#[derive(Debug)]
pub(crate) struct Condition {
    pub(crate) status: String,
    pub(crate) reason: String,
    pub(crate) message: String,
}

/// `kubectl` with all rights, in no namespace.
pub(crate) fn kubectl() -> &'static Kubectl {
    CONTROL_PLANE.kubectl()
}

fn start() -> Result<ControlPlane> {
    let control_plane = ControlPlane::start()?;
    let kubectl = control_plane.kubectl();
    let manifests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crds/manifests");
    kubectl.run(&["apply", "--server-side", "-f", &manifests.display().to_string()])?;
    kubectl.run(&[
        "wait",
        "--for=condition=Established",
        "customresourcedefinition/registries.berth.dev",
        "customresourcedefinition/registryaccesses.berth.dev",
    ])?;
    nodes::create(kubectl)?;
    start_operator(kubectl, Vec::new());
    Ok(control_plane)
}

/// The Lease of the operators of a namespace that are processes of their own.
pub(crate) const LEASE: &str = "operators";

/// Starts an operator of one namespace as a process of its own, which stands for election under this name.
pub(crate) fn start_process(namespace: &Namespace, name: &str) -> OperatorProcess {
    start_process_with(namespace, name, &[])
}

/// The same with more variables of the environment.
pub(crate) fn start_process_with(
    namespace: &Namespace,
    name: &str,
    variables: &[(&str, &str)],
) -> OperatorProcess {
    let lease = Some(format!("{}/{LEASE}", namespace.name));
    let options = Options { name, namespaces: &[namespace.name], lease, variables, ..Options::default() };
    OperatorProcess::start(kubectl(), &options).unwrap()
}

/// Runs an operator for these namespaces, or for all, in a thread, until the test process ends.
pub(crate) fn start_operator(kubectl: &Kubectl, namespaces: Vec<String>) {
    let kubeconfig = kubectl.kubeconfig().to_owned();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new()?;
        runtime.block_on(run_operator(&kubeconfig, namespaces))
    });
}

async fn run_operator(kubeconfig: &Path, watch_namespaces: Vec<String>) -> Result<()> {
    let connection = connection(kubeconfig).await?;
    let counting = MapRequestLayer::new(|request: http::Request<kube::client::Body>| {
        requests::note(request.method().as_str(), request.uri().path());
        request
    });
    let client = ClientBuilder::try_from(connection)?.with_layer(&counting).build();
    let config = Config {
        registry_image: "registry.example/berth-registry:test".to_owned(),
        registry_image_pull_policy: PullPolicy::IfNotPresent,
        watch_namespaces,
        pull_secrets_namespaces: vec!["pulls-*".to_owned()],
        node_agent: Some(nodes::daemon_set()),
        node_hosts: vec!["*.allowed.example".to_owned()],
        node_mirrors: vec!["docker.io".to_owned()],
        cluster_domain: "cluster.local".to_owned(),
        registries: None,
        lease: None,
        check: None,
        ca_trust_period: Duration::from_hours(1),
        ca_grace_period: Duration::from_hours(24),
        health_addr: "127.0.0.1:0".parse()?,
        log_format: LogFormat::Text,
        log_level: "info".to_owned(),
    };
    berth_operator::run(client.clone(), |_| Ok(client), &config, future::pending()).await?;
    bail!("the operator ended")
}
