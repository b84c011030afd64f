//! etcd, the API server and the controller manager: enough for everything that needs no pod to run.

use super::certificates::{Authority, Identity, Pair};
use super::guard::Guard;
use super::process::Process;
use super::site::Site;
use super::{Kubectl, State, kubeconfig};
use crate::programs;
use anyhow::Result;

/// The addresses of Services, of both families. A Service has one of the first unless it asks for both.
const SERVICE_RANGE: &str = "10.96.0.0/16,fd00:10:96::/112";
const API_SERVICE_ADDRESS: [u8; 4] = [10, 96, 0, 1];

/// Whoever is a ServiceAccount leaves a line with the status of each answer; people and the cluster's own programs leave none.
const AUDIT: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
- {level: None, namespaces: [kube-system]}
- {level: Metadata, userGroups: ['system:serviceaccounts:berth-system']}
- {level: None}
";

/// A control plane of its own, ended when this is dropped or when the program ends.
#[derive(Debug)]
pub struct ControlPlane {
    kubectl: Kubectl,
    _guard: Option<Guard>,
}

impl ControlPlane {
    /// Starts one in a temporary folder; where `KUBECONFIG` is set, that cluster is used instead.
    pub fn start() -> Result<Self> {
        if let Some(kubeconfig) = programs::path_variable("KUBECONFIG") {
            return Ok(Self { kubectl: Kubectl::new(&kubeconfig)?, _guard: None });
        }
        let state = State::temporary()?;
        let guard = Guard::watch(&state)?;
        let kubectl = start(&state)?;
        Ok(Self { kubectl, _guard: Some(guard) })
    }

    /// `kubectl` with all rights.
    pub fn kubectl(&self) -> &Kubectl {
        &self.kubectl
    }
}

/// Starts a control plane on the loopback device, with its files in `state`, and leaves it running.
pub(crate) fn start(state: &State) -> Result<Kubectl> {
    let authority = Authority::create(state)?;
    start_at(state, &authority, &Site::loopback()?)
}

/// The same at a site that the caller has prepared.
pub(crate) fn start_at(state: &State, authority: &Authority<'_>, site: &Site) -> Result<Kubectl> {
    let admin = authority.client("admin", Identity { user: "berth-tests", group: Some("system:masters") })?;
    let kubectl = Kubectl::new(&kubeconfig::write(state, "kubeconfig", &site.server(), authority, &admin)?)?;
    let signing_keys = authority.signing_keys()?;
    start_etcd(state, site)?;
    let api_server = start_api_server(state, authority, site, &signing_keys, &admin)?;
    api_server.wait_for("the API server to be ready", || kubectl.run(&["get", "--raw=/readyz"]))?;
    let controller_manager = start_controller_manager(state, authority, site, &signing_keys)?;
    controller_manager.wait_for("the default ServiceAccount", || {
        kubectl.run(&["get", "serviceaccount", "default", "--namespace=default"])
    })?;
    Ok(kubectl)
}

fn start_etcd(state: &State, site: &Site) -> Result<Process> {
    let clients = format!("http://127.0.0.1:{}", site.ports.etcd);
    let peers = format!("http://127.0.0.1:{}", site.ports.etcd_peers);
    let mut command = site.command(programs::built("etcd")?);
    command
        .arg(format!("--data-dir={}", state.path("etcd").display()))
        .arg(format!("--listen-client-urls={clients}"))
        .arg(format!("--advertise-client-urls={clients}"))
        .arg(format!("--listen-peer-urls={peers}"))
        .arg(format!("--initial-advertise-peer-urls={peers}"))
        .arg(format!("--initial-cluster=default={peers}"))
        .args(["--unsafe-no-fsync", "--log-level=warn"]);
    Process::start(state, "etcd", &mut command)
}

fn start_api_server(
    state: &State,
    authority: &Authority<'_>,
    site: &Site,
    signing_keys: &Pair,
    kubelet_client: &Pair,
) -> Result<Process> {
    let names = [
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
        "localhost",
    ];
    let serving = authority.server("kube-apiserver", &names, &[site.address, API_SERVICE_ADDRESS.into()])?;
    let mut command = site.command(programs::built("kube-apiserver")?);
    command
        .arg(format!("--etcd-servers=http://127.0.0.1:{}", site.ports.etcd))
        .arg(format!("--bind-address={0}", site.address))
        .arg(format!("--advertise-address={0}", site.address))
        .arg(format!("--secure-port={}", site.ports.api_server))
        .arg(format!("--service-cluster-ip-range={SERVICE_RANGE}"))
        .arg(format!("--tls-cert-file={}", serving.certificate.display()))
        .arg(format!("--tls-private-key-file={}", serving.key.display()))
        .arg(format!("--client-ca-file={}", authority.pair().certificate.display()))
        .arg(format!("--kubelet-certificate-authority={}", authority.pair().certificate.display()))
        .arg(format!("--kubelet-client-certificate={}", kubelet_client.certificate.display()))
        .arg(format!("--kubelet-client-key={}", kubelet_client.key.display()))
        .arg("--kubelet-preferred-address-types=InternalIP")
        .arg("--service-account-issuer=https://kubernetes.default.svc.cluster.local")
        .arg(format!("--service-account-key-file={}", signing_keys.certificate.display()))
        .arg(format!("--service-account-signing-key-file={}", signing_keys.key.display()))
        .args([
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged=true",
        ]);
    command
        .arg(format!("--audit-policy-file={}", state.write("config/audit.yaml", AUDIT)?.display()))
        .arg(format!("--audit-log-path={}", state.log("audit").display()));
    // A loopback address is not a valid endpoint of the `kubernetes` Service.
    if site.address.is_loopback() {
        command.arg("--endpoint-reconciler-type=none");
    }
    Process::start(state, "kube-apiserver", &mut command)
}

fn start_controller_manager(
    state: &State,
    authority: &Authority<'_>,
    site: &Site,
    signing_keys: &Pair,
) -> Result<Process> {
    let client = authority.client(
        "kube-controller-manager",
        Identity { user: "system:kube-controller-manager", group: None },
    )?;
    let kubeconfig =
        kubeconfig::write(state, "config/kube-controller-manager.yaml", &site.server(), authority, &client)?;
    let root = authority.pair();
    let mut command = site.command(programs::built("kube-controller-manager")?);
    command
        .arg(format!("--kubeconfig={}", kubeconfig.display()))
        .arg(format!("--root-ca-file={}", root.certificate.display()))
        .arg(format!("--cluster-signing-cert-file={}", root.certificate.display()))
        .arg(format!("--cluster-signing-key-file={}", root.key.display()))
        .arg(format!("--service-account-private-key-file={}", signing_keys.key.display()))
        .arg(format!("--secure-port={}", site.ports.controller_manager))
        .args(["--bind-address=127.0.0.1", "--use-service-account-credentials", "--leader-elect=false"]);
    Process::start(state, "kube-controller-manager", &mut command)
}
