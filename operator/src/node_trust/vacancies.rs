//! Takes back what Registries leave that are gone, and reports of nodes that are.
//!
//! A Registry needs no finalizer for this: until the operator has noticed, its names lead nowhere, and nothing waits for that.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures::future::try_join_all;
use kube::{
    Api,
    api::{ListParams, PartialObjectMeta},
};
use tokio::time::sleep;
use tracing::{info, warn};

use super::{Context, key_of, publication::remove};
use crate::{
    nodes::{Objects, RollCall, key, listings},
    registry::api,
};

/// Registries that are deleted together are looked for once; what failed is tried again later.
const COLLECTION: Duration = Duration::from_secs(1);
const RETRY: Duration = Duration::from_secs(30);

/// Looks whenever a Registry may be gone, until `shutdown` resolves.
pub(super) async fn look_after(context: Arc<Context>, shutdown: impl Future<Output = ()>) {
    let Some(objects) = context.objects.clone() else { return };
    let looking = async {
        loop {
            context.departures.notified().await;
            sleep(COLLECTION).await;
            if let Err(error) = sweep(&context, &objects).await {
                warn!(error = &error as &dyn std::error::Error, "what nodes are told was not cleared up");
                sleep(RETRY).await;
                context.departures.notify_one();
            }
        }
    };
    tokio::select! {
        () = looking => {}
        () = shutdown => {}
    }
}

async fn sweep(context: &Context, objects: &Objects) -> Result<(), kube::Error> {
    let config_maps = objects.config_maps(&context.client);
    // Read in this order: a Registry is listed only after it exists.
    let Some(live) = config_maps.get_opt(objects.name()).await? else { return Ok(()) };
    let known = registries(context).await?;
    let vacant: Vec<String> = listings(&live).into_keys().filter(|key| !known.contains(key)).collect();
    if !vacant.is_empty() {
        let _turn = context.turn.lock().await;
        remove(&config_maps, objects.name(), &vacant).await?;
        for key in &vacant {
            context.told.forget(key);
        }
        info!(registries = ?vacant, "nodes are not told any more of what is gone");
    }
    let gone = RollCall::take(objects, &context.client).await?.map(|nodes| nodes.gone()).unwrap_or_default();
    if gone.is_empty() { Ok(()) } else { remove(&config_maps, &objects.reports_name(), &gone).await }
}

/// The keys of all Registries.
async fn registries(context: &Context) -> Result<BTreeSet<String>, kube::Error> {
    let lists = context.scopes.iter().map(async |scope| {
        let all: Api<berth_crds::Registry> = api(&context.client, scope);
        all.list_metadata(&ListParams::default()).await
    });
    let listed = try_join_all(lists).await?;
    let found: Vec<PartialObjectMeta<berth_crds::Registry>> =
        listed.into_iter().flat_map(|list| list.items).collect();
    Ok(found.iter().map(|registry| key(&key_of(registry))).collect())
}
