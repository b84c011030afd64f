//! What makes a Registry be looked at again: a change of one of its objects, or of an object that its spec refers to.
//!
//! Only metadata is watched, and nothing is kept, so a cluster with many Secrets costs no memory.

use std::{fmt::Debug, hash::Hash, sync::Arc, time::Duration};

use berth_crds::{ConditionType, Registry, RegistryStatus, mirrors::Mirror, replication::CopyStatus};
use futures::{
    Stream, StreamExt, future,
    stream::{self, BoxStream},
};
use k8s_openapi::api::{
    apps::v1::Deployment,
    batch::v1::{CronJob, Job},
    core::v1::{ConfigMap, PersistentVolumeClaim, Secret, Service, ServiceAccount},
    networking::v1::{Ingress, IngressClass, NetworkPolicy},
    policy::v1::PodDisruptionBudget,
    storage::v1::StorageClass,
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::DynamicObject,
    core::{ClusterResourceScope, DeserializeGuard, NamespaceResourceScope, PartialObjectMeta},
    runtime::{
        WatchStreamExt,
        reflector::{ObjectRef, Store},
        scheduler::{ScheduleRequest, debounced_scheduler},
        watcher,
    },
};
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use tracing::warn;

use super::{build::Objects, consent_watches, observe::certificate_secret, replication};
use crate::{
    apis::UNSERVED_RETRY,
    children::Kind,
    context::Context,
    metadata::{INSTANCE, Identity, MANAGED_BY, OPERATOR},
};

/// A Registry, or why it does not parse.
pub type Guarded = DeserializeGuard<Registry>;

/// A namespace, or all of them.
pub type Scope = Option<String>;

/// Where `kubectl apply` keeps another copy of the spec.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// How long to collect changes of other objects before a Registry is looked at.
const DEBOUNCE: Duration = Duration::from_millis(250);

/// The optional kinds that are watched. What cert-manager stores is a Secret, and those are watched.
const WATCHED: [Kind; 3] = [Kind::HTTPRoute, Kind::BackendTLSPolicy, Kind::ServersTransport];

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

/// Leaves of a Registry what is looked at while it is only remembered: its spec, its annotations, whether it is ready, and how far
/// its copies are behind. What is decided is decided on a live read, and several controllers remember each Registry.
pub(crate) fn outline(registry: &mut Guarded) {
    registry.managed_fields_mut().clear();
    registry.annotations_mut().remove(LAST_APPLIED);
    let Ok(registry) = &mut registry.0 else { return };
    let Some(status) = registry.status.take() else { return };
    let mut conditions = status.conditions;
    conditions.retain(|condition| condition.type_ == ConditionType::Ready.as_str());
    conditions.shrink_to_fit();
    let mut replication = status.replication;
    replication.iter_mut().flat_map(|replication| &mut replication.copies).for_each(outline_copy);
    registry.status = Some(RegistryStatus { conditions, replication, ..RegistryStatus::default() });
}

fn outline_copy(copy: &mut CopyStatus) {
    copy.message = None;
    copy.lag = None;
}

/// The Registries that a change of some object concerns.
pub(super) fn concerned(
    context: &Arc<Context>,
    scope: &Scope,
    known: &Store<Guarded>,
) -> BoxStream<'static, ObjectRef<Guarded>> {
    let client = &context.client;
    let ours = ours();
    // Of these, objects of others count too: the spec refers to them by name.
    let all = watcher::Config::default();
    let applicants = context.scopes.iter().map(|scope| consent_watches::applicants(client, scope, known));
    let optional = WATCHED.map(|kind| optional_changes(kind, context, scope, known, ours.clone()));
    let everywhere = [
        changes::<ServiceAccount>(client, scope, known, ours.clone()),
        changes::<Service>(client, scope, known, ours.clone()),
        changes::<Ingress>(client, scope, known, ours.clone()),
        changes::<NetworkPolicy>(client, scope, known, ours.clone()),
        changes::<PodDisruptionBudget>(client, scope, known, ours.clone()),
        changes::<Deployment>(client, scope, known, ours.clone()),
        changes::<CronJob>(client, scope, known, ours.clone()),
        changes::<Job>(client, scope, known, ours),
        changes::<PersistentVolumeClaim>(client, scope, known, all.clone()),
        changes::<ConfigMap>(client, scope, known, all.clone()),
        changes::<Secret>(client, scope, known, all),
        consent_watches::namespaces(client, known),
    ];
    stream::select_all(everywhere.into_iter().chain(optional).chain(applicants)).boxed()
}

/// The same, each once it has not come again for a moment. A reconciliation changes many objects of a Registry, and the
/// controllers of the cluster change them after it; all of that is worth one more look.
pub(crate) fn settled<T>(changes: impl Stream<Item = T> + Send) -> impl Stream<Item = T> + Send
where
    T: Clone + Eq + Hash + Send,
{
    settled_for(DEBOUNCE, changes)
}

/// The same for a moment of one's own.
pub(crate) fn settled_for<T>(
    moment: Duration,
    changes: impl Stream<Item = T> + Send,
) -> impl Stream<Item = T> + Send
where
    T: Clone + Eq + Hash + Send,
{
    let now = |message| ScheduleRequest { message, run_at: Instant::now() };
    debounced_scheduler(changes.map(now), moment)
}

/// What is labelled as ours.
pub(crate) fn ours() -> watcher::Config {
    watcher::Config::default().labels(&format!("{MANAGED_BY}={OPERATOR}"))
}

/// Emits whenever a class changes: a claim may be waiting for its `StorageClass`, or an Ingress for its `IngressClass`.
pub(super) fn classes(client: &Client) -> impl Stream<Item = ()> + Send + 'static {
    stream::select(class_changes::<StorageClass>(client), class_changes::<IngressClass>(client))
}

fn class_changes<K>(client: &Client) -> BoxStream<'static, ()>
where
    K: Resource<DynamicType = (), Scope = ClusterResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
        + Send
        + Sync
        + 'static,
{
    let classes = Api::<PartialObjectMeta<K>>::all(client.clone());
    objects(classes, watcher::Config::default(), K::kind(&()).into_owned()).map(|_| ()).boxed()
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
    let kind = K::kind(&()).into_owned();
    let objects = objects(api::<PartialObjectMeta<K>>(client, scope), config, kind.clone());
    objects.flat_map(move |object| stream::iter(owners(&object, &kind, &known))).boxed()
}

/// Changes of a kind that the API server may not serve: none until it does, and some Registry asks for it.
fn optional_changes(
    kind: Kind,
    context: &Arc<Context>,
    scope: &Scope,
    known: &Store<Guarded>,
    config: watcher::Config,
) -> BoxStream<'static, ObjectRef<Guarded>> {
    let resource = kind.api_resource();
    let api: Api<PartialObjectMeta<DynamicObject>> = match scope {
        Some(namespace) => Api::namespaced_with(context.client.clone(), namespace, &resource),
        None => Api::all_with(context.client.clone(), &resource),
    };
    let served = until_served(kind, Arc::clone(context), known.clone());
    let known = known.clone();
    stream::once(served)
        .flat_map(move |()| objects(api.clone(), config.clone(), resource.kind.clone()))
        .flat_map(move |object| stream::iter(owners(&object, &kind.api_resource().kind, &known)))
        .boxed()
}

async fn until_served(kind: Kind, context: Arc<Context>, known: Store<Guarded>) {
    loop {
        let wanted = known.state().iter().any(|registry| {
            registry.0.as_ref().is_ok_and(|registry| match kind {
                Kind::ServersTransport => registry.spec.ingress.is_some(),
                _ => registry.spec.gateway.is_some(),
            })
        });
        // What the API server could not say now, it says the next time.
        if wanted && context.apis.served(&context.client).await.is_ok_and(|served| served.has(kind)) {
            return;
        }
        tokio::time::sleep(UNSERVED_RETRY).await;
    }
}

pub(crate) fn objects<K>(
    api: Api<PartialObjectMeta<K>>,
    config: watcher::Config,
    kind: String,
) -> impl Stream<Item = PartialObjectMeta<K>> + Send
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    K::DynamicType: Clone + Debug + Eq + std::hash::Hash + Send + Sync,
{
    watcher(api, config).default_backoff().touched_objects().filter_map(move |object| {
        let object = object.inspect_err(|error| {
            warn!(kind, error = error as &dyn std::error::Error, "watch interrupted; it is resumed");
        });
        future::ready(object.ok())
    })
}

/// The Registry that the object's labels or owner name, and those whose spec refers to it.
fn owners<K: Resource>(
    object: &PartialObjectMeta<K>,
    kind: &str,
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
        (same_place && refers_to(registry, kind, &name)).then(|| registry.name_any())
    }));
    names.sort();
    names.dedup();
    names.iter().map(|name| ObjectRef::new(name).within(&namespace)).collect()
}

/// Whether the spec names that object, or the object has a name that the Registry needs for one of its own.
fn refers_to(registry: &Registry, kind: &str, name: &str) -> bool {
    let spec = &registry.spec;
    let needed = Objects::ids(&Identity::of(registry)).into_stages().into_iter().flatten();
    if needed
        .chain(replication::ids(registry))
        .any(|id| id.name == name && id.kind.api_resource().kind == kind)
    {
        return true;
    }
    let s3 = spec.storage.s3.as_ref();
    let certificate = certificate_secret(registry);
    let referenced = match kind {
        "Secret" => vec![
            spec.access.htpasswd_secret_name.as_ref(),
            certificate.as_ref(),
            s3.and_then(|s3| s3.secret_name.as_ref()),
            s3.and_then(|s3| s3.ca_secret_name.as_ref()),
        ],
        "ConfigMap" => vec![s3.and_then(|s3| s3.ca_config_map_name.as_ref())],
        "PersistentVolumeClaim" => vec![spec.storage.claim_name.as_ref()],
        _ => Vec::new(),
    };
    let of_mirror = |mirror: &Mirror| match kind {
        "Secret" => mirror.secrets().any(|secret| secret == name),
        "ConfigMap" => mirror.config_map() == Some(name),
        _ => false,
    };
    referenced.into_iter().flatten().any(|referenced| referenced == name)
        || spec.mirrors.iter().any(of_mirror)
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
        owners(object, "Secret", known).into_iter().map(|registry| registry.name).collect()
    }

    #[test]
    fn of_a_registry_only_its_outline_is_remembered() {
        let condition = |about: ConditionType| json!({"type": about.as_str(), "status": "True", "reason": "R", "message": "", "lastTransitionTime": "2026-03-01T00:00:00Z"});
        let conditions = [condition(ConditionType::Ready), condition(ConditionType::Progressing)];
        let mut registry = fixtures::registry("{logLevel: debug}");
        registry.status =
            Some(serde_json::from_value(json!({"host": "hub", "conditions": conditions})).unwrap());
        registry.annotations_mut().insert(LAST_APPLIED.to_owned(), "{}".to_owned());
        let mut guarded = DeserializeGuard(Ok(registry));
        outline(&mut guarded);

        let registry = guarded.0.unwrap();
        let status = registry.status.clone().unwrap();
        assert_eq!(status.conditions.iter().map(|one| one.type_.as_str()).collect::<Vec<_>>(), ["Ready"]);
        assert_eq!(status.host, None);
        assert!(registry.annotations().is_empty());
        assert_eq!(registry.spec, fixtures::registry("{logLevel: debug}").spec);
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
