//! The operator of Berth: makes a container registry of every `Registry` in a Kubernetes cluster.
//!
//! ARCHITECTURE.md tells the whole story; `registry` holds the reconciliation, and the other modules what it stands on.

pub mod access;
pub mod allow_list;
pub mod apis;
pub mod apply;
pub mod backoff;
pub mod check;
pub mod children;
pub mod config;
pub mod context;
pub mod cron;
pub mod digest;
pub mod distribution;
pub mod fence;
#[cfg(test)]
mod fixtures;
pub mod health;
pub mod lag;
pub mod leader;
pub mod metadata;
pub mod metrics;
pub mod node_agent;
pub mod node_trust;
pub mod nodes;
pub mod program;
pub mod provision;
pub mod registry;
pub mod requests;
pub mod telemetry;
pub mod token_issuer;

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc};

use futures::future::BoxFuture;
use kube::{Client, api::DynamicObject};
use tokio::{
    sync::watch,
    task::{JoinHandle, JoinSet},
};
use tracing::{info, warn};

use crate::{
    allow_list::AllowList,
    config::Config,
    context::Context,
    health::Readiness,
    leader::Leadership,
    metrics::Metrics,
    node_trust::Permits,
    registry::{Scope, authority::Periods, build::Settings},
};

/// Why the operator cannot run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The health address is not to be had.
    #[error("--health-addr {0} cannot be listened on")]
    Health(SocketAddr, #[source] io::Error),
    /// The file of Registries cannot be used.
    #[error("--registries {0} cannot be used")]
    Registries(PathBuf, #[source] provision::Error),
    /// The client of the leader cannot be made.
    #[error("no client of the API server can be made")]
    Client(#[from] kube::Error),
    /// Nobody stands for election any more.
    #[error("the election ended by itself, which is a mistake in this program")]
    Election,
}

/// Runs the operator until `shutdown` resolves; then finishes what it has begun. It stands for election with `client`, and
/// works, while it leads, with the client that `leading` makes.
pub async fn run(
    client: Client,
    leading: impl FnOnce(Leadership) -> Result<Client, kube::Error>,
    config: &Config,
    shutdown: impl Future<Output = ()>,
) -> Result<(), RunError> {
    let address = config.health_addr;
    let provided = provided(config)?;
    let listener = health::listen(address).await.map_err(|error| RunError::Health(address, error))?;
    let readiness = Readiness::default();
    let (resign, resigned) = watch::channel(());
    let metrics = Arc::new(Metrics::default());
    let client = requests::counted(client, Arc::clone(&metrics));
    let (leadership, mut elector) = stand(client, config, &readiness, resigned);
    let client = requests::counted(leading(leadership.clone())?, Arc::clone(&metrics));
    metrics.tell_leadership(leadership.clone());
    let health = tokio::spawn(health::serve(listener, readiness.clone(), Arc::clone(&metrics)));
    info!(version = env!("CARGO_PKG_VERSION"), image = config.registry_image, namespaces = ?config.watch_namespaces, "started");

    let office = Office { client, config, provided, readiness, metrics };
    tokio::select! {
        () = office.hold_whenever_elected(leadership, shutdown) => {}
        _ = &mut elector => return Err(RunError::Election),
    }
    drop(resign);
    let resigned = elector.await.map_err(|_| RunError::Election);
    health.abort();
    resigned
}

/// The Registries that come with the installation.
fn provided(config: &Config) -> Result<Vec<DynamicObject>, RunError> {
    let Some(file) = &config.registries else { return Ok(Vec::new()) };
    provision::read(file).map_err(|error| RunError::Registries(file.clone(), error))
}

/// Stands for election for as long as `resigned` has a sender, or leads at once where there is no Lease.
fn stand(
    client: Client,
    config: &Config,
    readiness: &Readiness,
    resigned: watch::Receiver<()>,
) -> (Leadership, JoinHandle<()>) {
    match &config.lease {
        Some(lease) => {
            let (elector, leadership) = leader::stand(client, lease);
            (leadership, tokio::spawn(elector.run(readiness.expect(), closed(resigned))))
        }
        None => (Leadership::undisputed(), tokio::spawn(closed(resigned))),
    }
}

/// What the operator does while it leads.
struct Office<'a> {
    client: Client,
    config: &'a Config,
    provided: Vec<DynamicObject>,
    readiness: Readiness,
    metrics: Arc<Metrics>,
}

impl Office<'_> {
    /// Leads for as long as this operator is elected, again and again until `shutdown` resolves. What had begun then is
    /// finished; when leadership is lost, nothing is.
    async fn hold_whenever_elected(&self, mut leadership: Leadership, shutdown: impl Future<Output = ()>) {
        tokio::pin!(shutdown);
        loop {
            tokio::select! {
                () = leadership.won() => {}
                () = &mut shutdown => return,
            }
            // Dropping the sender tells every controller to stop.
            let (stop, stopped) = watch::channel(());
            let mut controllers = self.controllers(&stopped);
            controllers.spawn(self.provision(stopped));
            tokio::select! {
                () = leadership.lost() => {
                    controllers.shutdown().await;
                    self.metrics.forget_registries();
                    warn!("another operator may lead now; standing by");
                }
                () = &mut shutdown => {
                    info!("stopping");
                    drop(stop);
                    tokio::select! {
                        () = async { while controllers.join_next().await.is_some() {} } => {}
                        () = leadership.lost() => controllers.shutdown().await,
                    }
                    return;
                }
            }
        }
    }

    /// Applies the Registries that come with the installation, until it is done or told to stop.
    fn provision(&self, stopped: watch::Receiver<()>) -> impl Future<Output = ()> + Send + use<> {
        let applied = provision::apply(self.client.clone(), self.provided.clone());
        async move {
            tokio::select! {
                () = applied => {}
                () = closed(stopped) => {}
            }
        }
    }

    /// A controller for each watched scope, with nothing remembered from an earlier time.
    fn controllers(&self, stopped: &watch::Receiver<()>) -> JoinSet<()> {
        let settings = Settings {
            image: self.config.registry_image.clone(),
            image_pull_policy: self.config.registry_image_pull_policy.as_str().to_owned(),
            rotation: Periods { trust: self.config.ca_trust_period, grace: self.config.ca_grace_period },
            node_agent: self.node_agent(),
        };
        let scopes = scopes(self.config);
        // One of each kind, since names of one kind may be names of the other as well.
        let context = || {
            let (client, metrics) = (self.client.clone(), Arc::clone(&self.metrics));
            Arc::new(Context::new(client, scopes.clone(), settings.clone(), metrics))
        };
        let (registries, accesses) = (context(), context());
        let mut controllers = JoinSet::new();
        for scope in &scopes {
            let stopped = || closed(stopped.clone());
            let unread = self.readiness.expect();
            controllers.spawn(registry::controller(Arc::clone(&registries), scope, unread, stopped()));
            controllers.spawn(access::controller(Arc::clone(&accesses), scope, stopped()));
        }
        for controller in self.distribution(&scopes, stopped).into_iter().chain(self.nodes(&scopes, stopped))
        {
            controllers.spawn(controller);
        }
        controllers
    }

    /// The controllers that tell nodes.
    fn nodes(&self, scopes: &[Scope], stopped: &watch::Receiver<()>) -> Vec<BoxFuture<'static, ()>> {
        let permits = Permits {
            hosts: AllowList::new(&self.config.node_hosts),
            mirrors: AllowList::new(&self.config.node_mirrors),
            cluster_domain: self.config.cluster_domain.clone(),
        };
        let (client, metrics) = (self.client.clone(), Arc::clone(&self.metrics));
        let context = node_trust::Context::new(client, scopes, self.node_agent(), permits, metrics);
        node_trust::controllers(&Arc::new(context), || closed(stopped.clone()))
    }

    /// Where node agents are, if there are any.
    fn node_agent(&self) -> Option<nodes::Objects> {
        self.config.node_agent.clone().map(nodes::Objects::of)
    }

    /// The controllers that bring pull Secrets to other namespaces.
    fn distribution(&self, scopes: &[Scope], stopped: &watch::Receiver<()>) -> Vec<BoxFuture<'static, ()>> {
        let allow_list = AllowList::new(&self.config.pull_secrets_namespaces);
        let context =
            distribution::Context::new(self.client.clone(), scopes, allow_list, Arc::clone(&self.metrics));
        distribution::controllers(&Arc::new(context), scopes, || closed(stopped.clone()))
    }
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
