//! A real Kubernetes for tests and for the demo: a control plane alone, or a whole node.
//!
//! All that a cluster is made of is below one state folder, and it ends by the process ids that are kept there.

mod certificates;
mod cgroups;
mod containerd;
mod control_plane;
mod dns;
mod guard;
mod host_access;
pub mod kept;
mod kube_proxy;
mod kubeconfig;
mod kubectl;
mod kubelet;
mod machine;
mod network;
mod node;
mod process;
mod scheduler;
mod site;
mod state;
mod storage;
pub mod wait;
mod whole;

pub use control_plane::ControlPlane;
pub use host_access::HostAccess;
pub use kubectl::Kubectl;
pub use state::State;
pub use whole::Cluster;
