//! The finalizer that keeps a Registry from going away before what it left in other namespaces. Only a Registry that leaves
//! something there has it.

use berth_crds::Registry;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use serde_json::json;

use super::{
    FIELD_MANAGER,
    written::{ATTEMPTS, is_conflict},
};

/// Its name.
const FINALIZER: &str = "berth.dev/pull-secrets";

/// Whether a Registry has it.
pub(super) fn is_on(registry: &ObjectMeta) -> bool {
    registry.finalizers.iter().flatten().any(|finalizer| finalizer == FINALIZER)
}

/// Puts it on.
pub(super) async fn put_on(client: &Client, registry: &ObjectMeta) -> Result<(), kube::Error> {
    set(client, registry, true).await
}

/// Takes it off.
pub(super) async fn take_off(client: &Client, registry: &ObjectMeta) -> Result<(), kube::Error> {
    set(client, registry, false).await
}

/// The list is others' too, so it is written on condition that nobody has changed the Registry since it was read.
async fn set(client: &Client, registry: &ObjectMeta, on: bool) -> Result<(), kube::Error> {
    if is_on(registry) == on {
        return Ok(());
    }
    let name = registry.name.as_deref().unwrap_or_default();
    let namespace = registry.namespace.as_deref().unwrap_or_default();
    let registries: Api<Registry> = Api::namespaced(client.clone(), namespace);
    let manager = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    let mut live = registry.clone();
    for attempt in 1.. {
        let patch = json!({"metadata": {
            "uid": registry.uid,
            "resourceVersion": live.resource_version,
            "finalizers": others(&live).chain(on.then_some(FINALIZER)).collect::<Vec<_>>(),
        }});
        match registries.patch_metadata(name, &manager, &Patch::Merge(patch)).await {
            Err(error) if is_conflict(&error) && attempt < ATTEMPTS => {}
            Err(kube::Error::Api(status)) if status.code == 404 && !on => return Ok(()),
            outcome => return outcome.map(|_| ()),
        }
        match registries.get_metadata_opt(name).await? {
            Some(again) => live = again.metadata,
            None => return Ok(()),
        }
    }
    Ok(())
}

fn others(registry: &ObjectMeta) -> impl Iterator<Item = &str> {
    registry.finalizers.iter().flatten().map(String::as_str).filter(|finalizer| *finalizer != FINALIZER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_finalizers_of_others_stay() {
        let finalizers = ["example.com/a", FINALIZER, "example.com/b"].map(str::to_owned);
        let registry = ObjectMeta { finalizers: Some(finalizers.to_vec()), ..ObjectMeta::default() };
        assert!(is_on(&registry));
        assert_eq!(others(&registry).collect::<Vec<_>>(), ["example.com/a", "example.com/b"]);
    }
}
