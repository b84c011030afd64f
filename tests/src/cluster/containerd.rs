//! The container runtime of the node, and the images that it is given or pulls.

use super::State;
use super::machine::Machine;
use super::process::Process;
use crate::command::succeed;
use crate::programs;
use anyhow::{Result, ensure};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};

/// The socket; its folder is the machine's own.
pub(crate) const SOCKET: &str = "/run/containerd/containerd.sock";
/// The image of the container that holds a pod's namespaces.
pub(crate) const SANDBOX_IMAGE: &str = "localhost/pause:1";
/// The configuration, in a folder of its own.
const CONFIG: &str = "node/containerd-config/config.toml";
/// The addresses of pods.
pub(crate) const POD_RANGE: &str = "10.244.0.0/24";

/// Starts containerd and waits until it answers.
pub(crate) fn start(state: &State, machine: &Machine) -> Result<Process> {
    fs::create_dir_all(state.path("node/certs.d"))?;
    state.write("node/cni/10-pods.conflist", &pod_network(state).to_string())?;
    let config = state.write(CONFIG, &config(state))?;
    let mut command = machine.command(programs::packaged("containerd")?)?;
    let process = Process::start(state, "containerd", command.arg("--config").arg(config))?;
    process.wait_for("containerd to answer", || ctr(machine, &["version"]))?;
    Ok(process)
}

/// Makes an image from a docker-archive or OCI tar known to the node.
pub(crate) fn load_image(machine: &Machine, archive: &Path) -> Result<()> {
    ctr(machine, &["--namespace=k8s.io", "images", "import", &archive.to_string_lossy()])?;
    Ok(())
}

/// Gives an image a second name, which replaces an older image of that name.
pub(crate) fn tag_image(machine: &Machine, name: &str, second: &str) -> Result<()> {
    ctr(machine, &["--namespace=k8s.io", "images", "tag", "--force", name, second]).map(drop)
}

/// Where the node is told how to reach registries: the folder that its containerd reads, and the configuration that says so.
pub(crate) fn registry_folder(state: &State) -> (PathBuf, PathBuf) {
    (state.path("node/certs.d"), state.path(CONFIG))
}

fn ctr(machine: &Machine, arguments: &[&str]) -> Result<String> {
    succeed(machine.command(programs::packaged("ctr")?)?.args(["--address", SOCKET]).args(arguments))
}

/// The scores of out-of-memory kills may not be lowered without `CAP_SYS_RESOURCE`, which a container's root lacks.
fn config(state: &State) -> String {
    format!(
        r#"version = 2
root = "{root}"
state = "/run/containerd"

[grpc]
  address = "{SOCKET}"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{SANDBOX_IMAGE}"
  disable_apparmor = true
  restrict_oom_score_adj = true

[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "overlayfs"
  default_runtime_name = "runc"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  SystemdCgroup = false

[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "/usr/lib/cni"
  conf_dir = "{cni}"

[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = "{certs}"
"#,
        root = state.path("node/containerd").display(),
        cni = state.path("node/cni").display(),
        certs = state.path("node/certs.d").display(),
    )
}

/// Each pod has a wire of its own to the node and no bridge between them: packets that the kube-proxy's rules sent to
/// another pod come back by the same way, also where the kernel cannot filter on bridges.
fn pod_network(state: &State) -> serde_json::Value {
    json!({
        "cniVersion": "0.4.0",
        "name": "pods",
        "plugins": [
            {
                "type": "ptp",
                "ipMasq": true,
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{ "subnet": POD_RANGE }]],
                    "routes": [{ "dst": "0.0.0.0/0" }],
                    "dataDir": state.path("node/addresses"),
                },
            },
            { "type": "portmap", "capabilities": { "portMappings": true } },
        ],
    })
}

/// Fails unless the node's programs are installed.
pub(crate) fn ensure_installed() -> Result<()> {
    for program in ["containerd", "ctr", "runc", "iptables", "ip"] {
        programs::packaged(program)?;
    }
    ensure!(Path::new("/usr/lib/cni/ptp").is_file(), "the CNI plugins are missing; run tests/install");
    Ok(())
}
