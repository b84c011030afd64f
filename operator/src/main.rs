//! The operator's program: reads its command line, connects to the API server, and runs until it is told to stop.

use anyhow::{Context, Result};
use berth_operator::{config::Config, telemetry};
use clap::Parser;
use kube::Client;
use tokio::signal::unix::{SignalKind, signal};
use tracing::info;

#[tokio::main]
async fn main() -> Result<()> {
    let config = Config::parse();
    telemetry::start(&config).context("--log-level: write error, warn, info, debug or trace")?;
    // Fails only when a provider is installed already, which is then as good.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let client = Client::try_default().await.context(
        "no connection to a cluster: run in a pod with a ServiceAccount, or set KUBECONFIG to a kubeconfig file",
    )?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let shutdown = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    berth_operator::run(client, &config, shutdown)
        .await
        .with_context(|| format!("--health-addr {} cannot be listened on", config.health_addr))?;
    info!("stopped");
    Ok(())
}
