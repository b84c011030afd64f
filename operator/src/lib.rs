//! The operator of Berth: makes a container registry of every `Registry` in a Kubernetes cluster.
//!
//! ARCHITECTURE.md tells the whole story; `registry` holds the reconciliation, and the other modules what it stands on.

pub mod apply;
pub mod backoff;
pub mod children;
pub mod config;
pub mod context;
pub mod digest;
#[cfg(test)]
mod fixtures;
pub mod health;
pub mod metadata;
pub mod registry;
pub mod telemetry;

use std::{io, sync::Arc};

use kube::Client;
use tokio::{sync::watch, task::JoinSet};
use tracing::info;

use crate::{
    config::Config,
    context::Context,
    health::Readiness,
    registry::{Scope, build::Settings},
};

/// Runs the operator until `shutdown` resolves; then finishes what it has begun. Fails when the health address cannot
/// be listened on.
pub async fn run(client: Client, config: &Config, shutdown: impl Future<Output = ()>) -> io::Result<()> {
    let listener = health::listen(config.health_addr).await?;
    let settings = Settings {
        image: config.registry_image.clone(),
        image_pull_policy: config.registry_image_pull_policy.as_str().to_owned(),
    };
    let context = Arc::new(Context::new(client, settings));
    let readiness = Readiness::default();
    // Dropping the sender tells every controller to stop.
    let (stop, stopped) = watch::channel(());
    let controllers = scopes(config).into_iter().map(|scope| {
        registry::controller(Arc::clone(&context), &scope, readiness.expect(), closed(stopped.clone()))
    });
    let controllers: JoinSet<()> = controllers.collect();
    let health = tokio::spawn(health::serve(listener, readiness));
    info!(version = env!("CARGO_PKG_VERSION"), image = config.registry_image, namespaces = ?config.watch_namespaces, "started");

    shutdown.await;
    info!("stopping");
    drop(stop);
    controllers.join_all().await;
    health.abort();
    Ok(())
}

/// The namespaces to watch, each with a controller of its own, or all at once. An environment variable that is set
/// to nothing names none.
fn scopes(config: &Config) -> Vec<Scope> {
    let named: Vec<Scope> =
        config.watch_namespaces.iter().filter(|namespace| !namespace.is_empty()).cloned().map(Some).collect();
    if named.is_empty() { vec![None] } else { named }
}

async fn closed(mut stopped: watch::Receiver<()>) {
    // Nothing is ever sent: the only change is that the sender is gone.
    let _gone = stopped.changed().await;
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn scopes_of(argument: &str) -> Vec<Scope> {
        scopes(&Config::parse_from(["berth-operator", "--registry-image=r", argument]))
    }

    #[test]
    fn without_a_namespace_all_are_watched() {
        assert_eq!(scopes_of("--watch-namespace="), [None]);
        assert_eq!(scopes_of("--watch-namespace=a,b"), [Some("a".to_owned()), Some("b".to_owned())]);
    }
}
