//! What makes the nodes' knowledge of a Registry be looked at again: its Service, certificate and authority, and what the nodes are
//! told and report.

use std::{fmt::Debug, sync::Arc, time::Duration};

use futures::{
    StreamExt, future,
    stream::{self, BoxStream},
};
use k8s_openapi::api::{
    apps::v1::DaemonSet,
    core::v1::{ConfigMap, Secret, Service},
};
use kube::{
    Api, Client, Resource, ResourceExt,
    core::{NamespaceResourceScope, PartialObjectMeta},
    runtime::{
        WatchStreamExt,
        reflector::{ObjectRef, Store},
        watcher,
    },
};
use serde::de::DeserializeOwned;
use tracing::warn;

use super::Context;
use crate::{
    metadata::INSTANCE,
    nodes::{Objects, RollCall, listings, registry_of},
    registry::{Guarded, Scope, api, watches},
};

/// Reports of many nodes arrive together: they are counted once.
const COLLECTION: Duration = Duration::from_secs(1);

/// The Registries that a change concerns. Where there is no node agent, nothing does.
pub(super) fn concerned(
    context: &Arc<Context>,
    scope: &Scope,
    known: &Store<Guarded>,
) -> BoxStream<'static, ObjectRef<Guarded>> {
    let Some(objects) = context.objects.clone() else { return stream::pending().boxed() };
    let client = &context.client;
    let own = stream::select_all([
        of_registries::<Service>(client, scope, ""),
        of_registries::<Secret>(client, scope, "-tls"),
        of_registries::<ConfigMap>(client, scope, "-ca"),
    ]);
    let known = known.clone();
    let here = move |key: String| {
        let registry = registry_of(&key).map(|(namespace, name)| ObjectRef::new(&name).within(&namespace));
        registry.filter(|registry| known.get(registry).is_some())
    };
    let keys = stream::select(told(context, &objects), counted(context, objects));
    let settled = watches::settled(own);
    stream::select(settled, keys.filter_map(move |key| future::ready(here(key)))).boxed()
}

/// The Registries one of whose objects of a kind changed: that whose name is the Registry's with this at its end.
fn of_registries<K>(
    client: &Client,
    scope: &Scope,
    suffix: &'static str,
) -> BoxStream<'static, ObjectRef<Guarded>>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
        + Send
        + Sync
        + 'static,
{
    let all = api::<PartialObjectMeta<K>>(client, scope);
    let objects = watches::objects(all, watches::ours(), K::kind(&()).into_owned());
    objects.filter_map(move |object| future::ready(owner(&object, suffix))).boxed()
}

fn owner<K: Resource>(object: &PartialObjectMeta<K>, suffix: &str) -> Option<ObjectRef<Guarded>> {
    let name = object.labels().get(INSTANCE)?;
    let is_it = object.name_any().strip_suffix(suffix) == Some(name);
    is_it.then(|| ObjectRef::new(name).within(&object.namespace().unwrap_or_default()))
}

/// The keys of Registries that nodes are told something else of than they should be.
fn told(context: &Arc<Context>, objects: &Objects) -> BoxStream<'static, String> {
    let changes = watcher::watch_object(objects.config_maps(&context.client), objects.name());
    let context = Arc::clone(context);
    let keys = move |event: Result<Option<ConfigMap>, watcher::Error>| match event {
        Ok(found) => context.told.changed(&found.as_ref().map(listings).unwrap_or_default()),
        Err(error) => {
            interrupted(&error);
            Vec::new()
        }
    };
    changes.default_backoff().flat_map(move |event| stream::iter(keys(event))).boxed()
}

/// The keys of Registries that nodes report something else of than was found last.
fn counted(context: &Arc<Context>, objects: Objects) -> BoxStream<'static, String> {
    let client = context.client.clone();
    let by_name = |name: &str| watcher::Config::default().fields(&format!("metadata.name={name}"));
    let reports: Api<PartialObjectMeta<ConfigMap>> = objects.of_namespace(&client);
    let agents: Api<PartialObjectMeta<DaemonSet>> = objects.of_namespace(&client);
    let reports = watches::objects(reports, by_name(&objects.reports_name()), "ConfigMap".to_owned());
    let agents = watches::objects(agents, by_name(objects.name()), "DaemonSet".to_owned());
    let changes = stream::select(reports.map(drop), agents.map(drop));
    let context = Arc::clone(context);
    watches::settled_for(COLLECTION, changes)
        .then(move |()| recount(Arc::clone(&context), objects.clone()))
        .flat_map(stream::iter)
        .boxed()
}

async fn recount(context: Arc<Context>, objects: Objects) -> Vec<String> {
    match RollCall::take(&objects, &context.client).await {
        Ok(Some(nodes)) => context.told.counted_otherwise(&nodes),
        Ok(None) => Vec::new(),
        Err(error) => {
            warn!(error = &error as &dyn std::error::Error, "the reports of nodes could not be read");
            Vec::new()
        }
    }
}

fn interrupted(error: &watcher::Error) {
    warn!(error = error as &dyn std::error::Error, "watch interrupted; it is resumed");
}
