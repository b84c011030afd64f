//! The control plane that all tests share, a ServiceAccount with the rights of the chart, and the operator that uses them.

use std::{path::Path, sync::LazyLock, time::Duration};

use anyhow::{Context as _, Result, ensure};
use berth_operator::{
    context::Context,
    metrics::Metrics,
    registry::{authority::Periods, build::Settings},
};
use berth_tests::{
    chart,
    cluster::{ControlPlane, Kubectl},
    command::succeed,
    operator::{OperatorProcess, Options, connection},
};
use serde_json::Value;

/// How long it may take to come to rest on a loaded machine. What failed often is tried again after minutes.
pub(crate) const PATIENCE: Duration = Duration::from_mins(6);

/// The image that the operators of this ring give their registries.
const IMAGE: &str = "registry.example/berth-registry:test";

static CONTROL_PLANE: LazyLock<ControlPlane> =
    LazyLock::new(|| start().expect("a control plane with the chart's rights"));

/// `kubectl` with all rights.
pub(crate) fn kubectl() -> &'static Kubectl {
    CONTROL_PLANE.kubectl()
}

/// `kubectl` in a namespace.
pub(crate) fn run(namespace: &str, arguments: &[&str]) -> Result<String> {
    kubectl().run(&[&["--namespace", namespace], arguments].concat())
}

/// An object of a namespace, if it exists.
pub(crate) fn find(namespace: &str, kind: &str, name: &str) -> Result<Option<Value>> {
    let found = run(namespace, &["get", kind, name, "--ignore-not-found", "--output=json"])?;
    Ok(if found.is_empty() { None } else { Some(serde_json::from_str(&found)?) })
}

/// Starts an operator of these namespaces with the rights of the chart.
pub(crate) fn operator(namespaces: &[&str]) -> Result<OperatorProcess> {
    let token = token()?;
    OperatorProcess::start(kubectl(), &Options { namespaces, token: Some(&token), ..Options::default() })
}

/// Fails if the API server has refused anything for want of a right.
pub(crate) fn ensure_nothing_was_forbidden(operator: &OperatorProcess) -> Result<()> {
    let forbidden: Vec<_> =
        operator.gateway.passed().into_iter().filter(|request| request.status == Some(403)).collect();
    ensure!(forbidden.is_empty(), "the rights of the chart do not suffice for {forbidden:?}");
    Ok(())
}

/// What an operator decides with, in the process of the test and with all rights.
pub(crate) async fn context() -> Result<Context> {
    let client = kube::Client::try_from(connection(kubectl().kubeconfig()).await?)?;
    let settings = Settings {
        image: IMAGE.to_owned(),
        image_pull_policy: "IfNotPresent".to_owned(),
        rotation: Periods { trust: Duration::from_hours(1), grace: Duration::from_hours(24) },
        node_agent: None,
    };
    Ok(Context::new(client, vec![None], settings, Metrics::default().into()))
}

fn start() -> Result<ControlPlane> {
    let control_plane = ControlPlane::start()?;
    let kubectl = control_plane.kubectl();
    let manifests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crds/manifests");
    kubectl.run(&["apply", "--server-side", "-f", &manifests.display().to_string()])?;
    kubectl.run(&["wait", "--for=condition=Established", "--all", "customresourcedefinitions"])?;
    kubectl.run(&["create", "namespace", "berth-system"])?;
    let rights = ["templates/rbac.yaml", "templates/serviceaccount.yaml"];
    let mut template = chart::template()?;
    template.args(rights.iter().flat_map(|file| ["--show-only", *file]));
    kubectl.apply(&succeed(&mut template)?)?;
    Ok(control_plane)
}

/// A token of the operator's ServiceAccount.
pub(crate) fn token() -> Result<String> {
    let token = run("berth-system", &["create", "token", "berth", "--duration=2h"]);
    Ok(token.context("no token for the operator")?.trim().to_owned())
}
