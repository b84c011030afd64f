//! Names of Services inside pods: CoreDNS, as a pod.

use super::Kubectl;
use anyhow::Result;

/// Where pods ask.
pub(crate) const ADDRESS: &str = "10.96.0.10";
/// The image of CoreDNS, which the harness packs itself.
pub(crate) const IMAGE: &str = "localhost/coredns:1";

/// Installs CoreDNS and waits until it answers.
pub(crate) fn install(kubectl: &Kubectl) -> Result<()> {
    let documents = include_str!("dns.yaml").replace("$IMAGE", IMAGE).replace("$ADDRESS", ADDRESS);
    kubectl.apply(&documents)?;
    kubectl.run(&["rollout", "status", "deployment/coredns", "--namespace=kube-system", "--timeout=120s"])?;
    Ok(())
}
