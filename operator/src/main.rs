//! The operator's program, which is the node agent's as well: reads its command line, connects to the API server, and runs until it
//! is told to stop.

use anyhow::{Context, Result};
use berth_operator::{
    check::check,
    config::{Config, LogFormat},
    fence, node_agent,
    program::Program,
    telemetry,
};
use kube::Client;
use tokio::signal::unix::{SignalKind, signal};
use tracing::info;

// It waits for the API server nearly all the time. Of a thread for each core of a large node, each would keep memory of its own.
#[tokio::main(worker_threads = 2)]
async fn main() -> Result<()> {
    match Program::of_arguments() {
        Program::Operator(config) => operate(&config).await,
        Program::NodeAgent(options) => attend_node(&options).await,
    }
}

async fn operate(config: &Config) -> Result<()> {
    start_log(&config.log_level, config.log_format)?;
    if let Some(address) = &config.check {
        return check(address).await.with_context(|| format!("the operator at {address} is not ready"));
    }
    let traces = telemetry::Traces::start();
    let connection = connection().await?;
    let client = Client::try_from(connection.clone())?;
    let leading = |leadership| fence::client(&connection, leadership);
    berth_operator::run(client, leading, config, told_to_stop()?).await?;
    traces.iter().for_each(telemetry::Traces::finish);
    info!("stopped");
    Ok(())
}

async fn attend_node(options: &node_agent::Options) -> Result<()> {
    start_log(&options.log_level, options.log_format)?;
    let client = Client::try_from(connection().await?)?;
    node_agent::run(client, options, told_to_stop()?).await;
    Ok(())
}

fn start_log(level: &str, format: LogFormat) -> Result<()> {
    telemetry::start(level, format).context("--log-level: write error, warn, info, debug or trace")
}

async fn connection() -> Result<kube::Config> {
    // Fails only when a provider is installed already, which is then as good.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    kube::Config::infer().await.context(
        "no connection to a cluster: run in a pod with a ServiceAccount, or set KUBECONFIG to a kubeconfig file",
    )
}

fn told_to_stop() -> Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
