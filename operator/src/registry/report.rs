//! Tells the user: stores the status when it is news, and publishes what turned.

use berth_crds::{Reason, Registry, RegistryStatus};
use k8s_openapi::{api::core::v1::ObjectReference, apimachinery::pkg::apis::meta::v1::Condition};
use kube::{
    Api, Resource, ResourceExt,
    api::{ApiResource, DynamicObject},
    core::error_boundary::InvalidObject,
};
use serde::de::DeserializeOwned;
use tracing::warn;

use super::{
    events,
    share::{is_anothers, without_others},
    status,
};
use crate::{children::ChildId, context::Context};

/// Stores a status that is news, and tells what turned.
pub(super) async fn report(
    context: &Context,
    registry: &Registry,
    status: RegistryStatus,
) -> Result<(), kube::Error> {
    if registry.status.clone().map(without_others).as_ref() == Some(&status) {
        return Ok(());
    }
    let (namespace, name) = (registry.namespace().unwrap_or_default(), registry.name_any());
    status::write(&context.client, &namespace, &name, &status).await?;
    let reference = registry.object_ref(&());
    events::publish(&context.recorder, &reference, status::previous(registry), &status.conditions).await;
    Ok(())
}

/// Tells that objects of somebody else have names that the Registry needs.
pub(super) async fn taken_names(
    context: &Context,
    registry: &Registry,
    taken: &[ChildId],
) -> Result<(), kube::Error> {
    let names: Vec<String> = taken.iter().map(ToString::to_string).collect();
    let message = format!(
        "these objects exist and belong to somebody else: {}; delete them, or give the Registry another name",
        names.join(", ")
    );
    let previous = status::previous(registry);
    let known = registry.status.clone().map(|status| (status.gc, status.replication)).unwrap_or_default();
    let status = status::unusable(registry.meta().generation, previous, known, Reason::NameTaken, message);
    report(context, registry, status).await
}

/// Tells the user that a Registry does not parse, which the schema should have made impossible: the operator and the
/// `CustomResourceDefinition` are of different releases.
pub(super) async fn unparseable(context: &Context, invalid: &InvalidObject) -> Result<(), kube::Error> {
    warn!(error = invalid.error, "the Registry does not parse");
    let meta = &invalid.metadata;
    let (namespace, name) =
        (meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default());
    let message = format!(
        "this operator cannot read the Registry: {}; correct that field, or install the operator and the CustomResourceDefinition of the same release",
        invalid.error
    );
    let resource = ApiResource::erase::<Registry>(&());
    let registries: Api<DynamicObject> = Api::namespaced_with(context.client.clone(), &namespace, &resource);
    let live = registries.get_opt(&name).await?;
    let mut previous: Vec<Condition> = of_status(live.as_ref(), "conditions");
    previous.retain(|condition| !is_anothers(condition));
    let known = (of_status(live.as_ref(), "gc"), of_status(live.as_ref(), "replication"));
    let status = status::unusable(meta.generation, &previous, known, Reason::InvalidSpec, message);
    if previous != status.conditions {
        status::write(&context.client, &namespace, &name, &status).await?;
        let reference = ObjectReference {
            api_version: Some(resource.api_version),
            kind: Some(resource.kind),
            namespace: Some(namespace),
            name: Some(name),
            uid: meta.uid.clone(),
            ..ObjectReference::default()
        };
        events::publish(&context.recorder, &reference, &previous, &status.conditions).await;
    }
    Ok(())
}

/// A part of the status of an object that may have any.
fn of_status<T: Default + DeserializeOwned>(live: Option<&DynamicObject>, part: &str) -> T {
    live.and_then(|live| serde_json::from_value(live.data["status"][part].clone()).ok()).unwrap_or_default()
}
