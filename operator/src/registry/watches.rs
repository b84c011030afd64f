//! What makes a Registry be looked at again: a change of one of its objects, or of an object that its spec refers to.
//!
//! Only metadata is watched, and nothing is kept, so a cluster with many Secrets costs no memory.

use std::fmt::Debug;

use berth_crds::Registry;
use futures::{
    Stream, StreamExt, future,
    stream::{self, BoxStream},
};
use k8s_openapi::api::{
    apps::v1::Deployment,
    batch::v1::CronJob,
    core::v1::{ConfigMap, PersistentVolumeClaim, Secret, Service, ServiceAccount},
    networking::v1::NetworkPolicy,
    policy::v1::PodDisruptionBudget,
    storage::v1::StorageClass,
};
use kube::{
    Api, Client, Resource, ResourceExt,
    core::{DeserializeGuard, NamespaceResourceScope, PartialObjectMeta},
    runtime::{
        WatchStreamExt,
        reflector::{ObjectRef, Store},
        watcher,
    },
};
use serde::de::DeserializeOwned;
use tracing::warn;

use super::build::Objects;
use crate::metadata::{INSTANCE, Identity, MANAGED_BY, OPERATOR};

/// A Registry, or why it does not parse.
pub type Guarded = DeserializeGuard<Registry>;

/// A namespace, or all of them.
pub type Scope = Option<String>;

/// The API of a kind in a scope.
pub(crate) fn api<K>(client: &Client, scope: &Scope) -> Api<K>
where
    K: Resource<Scope = NamespaceResourceScope>,
    K::DynamicType: Default,
{
    match scope {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

/// The Registries that a change of some object concerns.
pub(super) fn concerned(
    client: &Client,
    scope: &Scope,
    known: &Store<Guarded>,
) -> BoxStream<'static, ObjectRef<Guarded>> {
    let ours = watcher::Config::default().labels(&format!("{MANAGED_BY}={OPERATOR}"));
    // Of these, objects of others count too: the spec refers to them by name.
    let all = watcher::Config::default();
    stream::select_all([
        changes::<ServiceAccount>(client, scope, known, ours.clone()),
        changes::<Service>(client, scope, known, ours.clone()),
        changes::<NetworkPolicy>(client, scope, known, ours.clone()),
        changes::<PodDisruptionBudget>(client, scope, known, ours.clone()),
        changes::<Deployment>(client, scope, known, ours.clone()),
        changes::<CronJob>(client, scope, known, ours),
        changes::<PersistentVolumeClaim>(client, scope, known, all.clone()),
        changes::<ConfigMap>(client, scope, known, all.clone()),
        changes::<Secret>(client, scope, known, all),
    ])
    .boxed()
}

/// Emits whenever a `StorageClass` changes: a claim may be waiting for it.
pub(super) fn storage_classes(client: &Client) -> impl Stream<Item = ()> + Send + 'static {
    let classes = Api::<PartialObjectMeta<StorageClass>>::all(client.clone());
    objects(classes, watcher::Config::default()).map(|_| ())
}

fn changes<K>(
    client: &Client,
    scope: &Scope,
    known: &Store<Guarded>,
    config: watcher::Config,
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
    let known = known.clone();
    let objects = objects(api::<PartialObjectMeta<K>>(client, scope), config);
    objects.flat_map(move |object| stream::iter(owners(&object, &known))).boxed()
}

fn objects<K>(
    api: Api<PartialObjectMeta<K>>,
    config: watcher::Config,
) -> impl Stream<Item = PartialObjectMeta<K>> + Send
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    watcher(api, config).default_backoff().touched_objects().filter_map(|object| {
        let object = object.inspect_err(|error| {
            warn!(kind = %K::kind(&()), error = error as &dyn std::error::Error, "watch interrupted; it is resumed");
        });
        future::ready(object.ok())
    })
}

/// The Registry that the object's labels or owner name, and those whose spec refers to it.
fn owners<K: Resource<DynamicType = ()>>(
    object: &PartialObjectMeta<K>,
    known: &Store<Guarded>,
) -> Vec<ObjectRef<Guarded>> {
    let namespace = object.namespace().unwrap_or_default();
    let name = object.name_any();
    let labelled = object
        .labels()
        .get(INSTANCE)
        .filter(|_| object.labels().get(MANAGED_BY).is_some_and(|by| by == OPERATOR));
    let owned = object
        .owner_references()
        .iter()
        .filter(|owner| owner.kind == Registry::kind(&()))
        .map(|owner| &owner.name);
    let mut names: Vec<String> = labelled.into_iter().chain(owned).cloned().collect();
    names.extend(known.state().iter().filter_map(|registry| {
        let registry = registry.0.as_ref().ok()?;
        let same_place = registry.namespace().as_deref() == Some(namespace.as_str());
        (same_place && refers_to(registry, &K::kind(&()), &name)).then(|| registry.name_any())
    }));
    names.sort();
    names.dedup();
    names.iter().map(|name| ObjectRef::new(name).within(&namespace)).collect()
}

/// Whether the spec names that object, or the object has a name that the Registry needs for one of its own.
fn refers_to(registry: &Registry, kind: &str, name: &str) -> bool {
    let spec = &registry.spec;
    let needed = Objects::ids(&Identity::of(registry)).into_ordered();
    if needed.iter().any(|id| id.name == name && id.kind.api_resource().kind == kind) {
        return true;
    }
    let s3 = spec.storage.s3.as_ref();
    let referenced = match kind {
        "Secret" => vec![
            spec.access.htpasswd_secret_name.as_ref(),
            spec.tls.secret_name.as_ref(),
            s3.and_then(|s3| s3.secret_name.as_ref()),
            s3.and_then(|s3| s3.ca_secret_name.as_ref()),
        ],
        "ConfigMap" => vec![s3.and_then(|s3| s3.ca_config_map_name.as_ref())],
        "PersistentVolumeClaim" => vec![spec.storage.claim_name.as_ref()],
        _ => Vec::new(),
    };
    referenced.into_iter().flatten().any(|referenced| referenced == name)
}

#[cfg(test)]
mod tests {
    use kube::{
        core::PartialObjectMetaExt,
        runtime::{reflector, watcher::Event},
    };
    use serde_json::json;

    use super::*;
    use crate::fixtures;

    fn known(spec: &str) -> Store<Guarded> {
        let (store, mut writer) = reflector::store();
        writer.apply_watcher_event(&Event::Apply(DeserializeGuard(Ok(fixtures::registry(spec)))));
        store
    }

    fn secret(metadata: serde_json::Value) -> PartialObjectMeta<Secret> {
        let metadata: kube::core::ObjectMeta = serde_json::from_value(metadata).unwrap();
        metadata.into_response_partial()
    }

    fn names(object: &PartialObjectMeta<Secret>, known: &Store<Guarded>) -> Vec<String> {
        owners(object, known).into_iter().map(|registry| registry.name).collect()
    }

    #[test]
    fn an_object_concerns_the_registry_of_its_labels() {
        let labels = json!({MANAGED_BY: OPERATOR, INSTANCE: "hub"});
        let object = secret(json!({"name": "hub-admin", "namespace": "default", "labels": labels}));
        assert_eq!(names(&object, &known("{}")), ["hub"]);
    }

    #[test]
    fn an_object_without_labels_concerns_its_owner() {
        let owner =
            json!([{"apiVersion": "berth.dev/v1alpha1", "kind": "Registry", "name": "hub", "uid": "4f6c"}]);
        let object = secret(json!({"name": "hub-admin", "namespace": "default", "ownerReferences": owner}));
        assert_eq!(names(&object, &known("{}")), ["hub"]);
    }

    #[test]
    fn an_object_that_takes_a_needed_name_concerns_the_registry() {
        assert_eq!(
            names(&secret(json!({"name": "hub-admin", "namespace": "default"})), &known("{}")),
            ["hub"]
        );
    }

    #[test]
    fn a_secret_of_the_user_concerns_those_that_refer_to_it() {
        let known = known("{access: {htpasswdSecretName: team}}");
        assert_eq!(names(&secret(json!({"name": "team", "namespace": "default"})), &known), ["hub"]);
        assert!(names(&secret(json!({"name": "team", "namespace": "other"})), &known).is_empty());
        assert!(names(&secret(json!({"name": "else", "namespace": "default"})), &known).is_empty());
    }

    #[test]
    fn what_opens_a_bucket_concerns_those_whose_images_are_in_it() {
        let registry = fixtures::registry(
            "{storage: {s3: {bucket: images, region: r, secretName: key, caConfigMapName: ca}}}",
        );
        assert!(refers_to(&registry, "Secret", "key") && refers_to(&registry, "ConfigMap", "ca"));
        assert!(!refers_to(&registry, "Secret", "ca") && !refers_to(&registry, "ConfigMap", "key"));
    }
}
