//! What makes a Registry look at its consent again: the RegistryAccesses for it, and the labels of namespaces.

use berth_crds::{Registry, allowed::From};
use futures::{
    StreamExt, future,
    stream::{self, BoxStream},
};
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Client, ResourceExt,
    core::PartialObjectMeta,
    runtime::{
        WatchStreamExt,
        reflector::{ObjectRef, Store},
        watcher,
    },
};
use tracing::warn;

use super::{
    observe::{GuardedAccess, registry_of},
    watches::{Guarded, Scope, api, objects},
};

/// The Registries that the RegistryAccesses of a scope are for. Of one that does not parse nobody knows; its own status says so.
pub(super) fn applicants(
    client: &Client,
    scope: &Scope,
    known: &Store<Guarded>,
) -> BoxStream<'static, ObjectRef<Guarded>> {
    let known = known.clone();
    let accesses = watcher(api::<GuardedAccess>(client, scope), watcher::Config::default());
    let registries = accesses.default_backoff().touched_objects().filter_map(move |access| {
        let access = access.inspect_err(|error| {
            let error = error as &dyn std::error::Error;
            warn!(kind = "RegistryAccess", error, "watch interrupted; it is resumed");
        });
        let registry = access.ok().and_then(|access| access.0.ok()).map(|access| {
            let (namespace, name) = registry_of(&access);
            ObjectRef::new(&name).within(&namespace)
        });
        future::ready(registry.filter(|registry| known.get(registry).is_some()))
    });
    registries.boxed()
}

/// The Registries whose consent depends on the labels of namespaces.
pub(super) fn namespaces(client: &Client, known: &Store<Guarded>) -> BoxStream<'static, ObjectRef<Guarded>> {
    let known = known.clone();
    let namespaces = Api::<PartialObjectMeta<Namespace>>::all(client.clone());
    let changes = objects(namespaces, watcher::Config::default(), "Namespace".to_owned());
    let registries = changes.flat_map(move |_| {
        let known = known.state();
        let readable = known.iter().filter_map(|registry| registry.0.as_ref().ok());
        let concerned = readable.filter(|registry| selects_namespaces(registry)).map(reference);
        stream::iter(concerned.collect::<Vec<_>>())
    });
    registries.boxed()
}

fn selects_namespaces(registry: &Registry) -> bool {
    registry.spec.access.allowed.from == From::Selector
}

fn reference(registry: &Registry) -> ObjectRef<Guarded> {
    ObjectRef::new(&registry.name_any()).within(&registry.namespace().unwrap_or_default())
}
