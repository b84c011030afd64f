//! The node agent: leads the container runtimes of its node to the registries of the cluster, by the files that they read at
//! each pull. `berth-operator node-agent` runs it, in a DaemonSet.
//!
//! It reads one ConfigMap, in which the operator has judged already who may claim which name, writes below the folders that it
//! was given and nowhere else, and reports in one key of another ConfigMap. When its DaemonSet is gone, it takes everything back.

mod containerd_config;
mod drop_ins;
mod farewell;
mod file;
mod folder;
mod node;
mod obstacle;
mod options;
mod runtime;
mod teller;

use std::{collections::BTreeMap, time::Duration};

use futures::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Client,
    runtime::{WatchStreamExt, watcher},
};
use tokio::time::{Instant, sleep_until};
use tracing::{info, warn};

use crate::nodes::{Listing, Objects, listings};
pub use node::Node;
pub use options::Options;
use teller::Teller;

/// How often the files are looked at although nothing was told: somebody may have removed them.
const RELOOK: Duration = Duration::from_secs(30);

/// How soon a report is sent again that did not arrive.
const RETRY: Duration = Duration::from_secs(3);

/// Keeps the node as the operator tells until `shutdown` resolves.
pub async fn run(client: Client, options: &Options, shutdown: impl Future<Output = ()>) {
    let objects = Objects::of(options.daemon_set.clone());
    let node = Node::new(options);
    let mut teller = Teller::new(objects.config_maps(&client), objects.reports_name(), &options.node);
    let told = watcher::watch_object(objects.config_maps(&client), objects.name()).default_backoff();
    tokio::pin!(told, shutdown);
    info!(version = env!("CARGO_PKG_VERSION"), node = options.node, "started");

    let mut known: Option<BTreeMap<String, Listing>> = None;
    let mut look = Instant::now() + RELOOK;
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            () = sleep_until(look) => {}
            event = told.next() => match event {
                Some(event) => known = heard(event).or(known),
                None => break,
            },
        }
        let sent = match &known {
            // Before anything is told, everything stays as it is.
            None => true,
            Some(listings) => teller.tell(node.bring_to(listings)).await,
        };
        look = Instant::now() + if sent { RELOOK } else { RETRY };
    }
    if farewell::is_uninstalled(&objects, &client).await {
        info!("the node agent is uninstalled: everything that it wrote is removed");
        node.clear();
    }
}

/// What is told now. A ConfigMap that is missing tells nothing: what is there stays.
fn heard(event: Result<Option<ConfigMap>, watcher::Error>) -> Option<BTreeMap<String, Listing>> {
    match event {
        Ok(found) => found.as_ref().map(listings),
        Err(error) => {
            warn!(error = &error as &dyn std::error::Error, "watch interrupted; it is resumed");
            None
        }
    }
}
