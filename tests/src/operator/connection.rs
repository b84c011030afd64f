//! How a test reaches the API server itself.

use anyhow::Result;
use kube::config::{KubeConfigOptions, Kubeconfig};
use std::path::Path;

/// How to reach the API server of a kubeconfig file.
pub async fn connection(kubeconfig: &Path) -> Result<kube::Config> {
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
    Ok(kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?)
}
