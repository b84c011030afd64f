//! The operator's program: reads its command line, connects to the API server, and runs until it is told to stop.

use anyhow::{Context, Result};
use berth_operator::{check::check, config::Config, fence, telemetry};
use clap::Parser;
use kube::Client;
use tokio::signal::unix::{SignalKind, signal};
use tracing::info;

// It waits for the API server nearly all the time. Of a thread for each core of a large node, each would keep memory of its own.
#[tokio::main(worker_threads = 2)]
async fn main() -> Result<()> {
    let config = Config::parse();
    telemetry::start(&config).context("--log-level: write error, warn, info, debug or trace")?;
    if let Some(address) = &config.check {
        return check(address).await.with_context(|| format!("the operator at {address} is not ready"));
    }
    // Fails only when a provider is installed already, which is then as good.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let traces = telemetry::Traces::start();
    let connection = kube::Config::infer().await.context(
        "no connection to a cluster: run in a pod with a ServiceAccount, or set KUBECONFIG to a kubeconfig file",
    )?;
    let client = Client::try_from(connection.clone())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let shutdown = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    let leading = |leadership| fence::client(&connection, leadership);
    berth_operator::run(client, leading, &config, shutdown).await?;
    traces.iter().for_each(telemetry::Traces::finish);
    info!("stopped");
    Ok(())
}
