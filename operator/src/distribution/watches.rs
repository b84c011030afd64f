//! What makes the distribution of a Registry's Secret be looked at again: a namespace that appears or gets other labels, a
//! ServiceAccount of a name that the spec has, and the Secrets themselves.
//!
//! Only metadata is watched, and nothing is kept of it. The controllers of several scopes share one set of watches.

use std::fmt::Debug;

use berth_crds::{Registry, pull_secrets::NamespacesFrom};
use futures::{
    Stream, StreamExt, future,
    stream::{self, BoxStream},
};
use k8s_openapi::{
    api::core::v1::{Namespace, Secret, ServiceAccount},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{
    Api, Client, Resource, ResourceExt,
    core::PartialObjectMeta,
    runtime::{
        Predicate as _, PredicateConfig, WatchStreamExt, predicates,
        reflector::{ObjectRef, Store},
        watcher,
    },
};
use serde::de::DeserializeOwned;
use tokio::sync::broadcast;
use tracing::warn;

use super::{owner::Owner, reach::Reach};
use crate::{
    metadata::{INSTANCE, MANAGED_BY, OPERATOR},
    registry::Guarded,
};

/// How many changes a controller may be behind. One that is further behind looks at all of its Registries.
const BACKLOG: usize = 1024;

/// Something that may concern a Registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// A namespace appeared, or its labels changed.
    Namespace,
    /// A ServiceAccount changed.
    ServiceAccount { namespace: String, name: String },
    /// A Secret of the Registry changed: the original or a copy.
    Secret { namespace: String, name: String },
    /// More changed than could be told.
    Anything,
}

/// Who listens for changes.
#[derive(Clone, Debug)]
pub(super) struct Listeners(broadcast::Sender<Change>);

impl Listeners {
    pub(super) fn none() -> Self {
        Self(broadcast::Sender::new(BACKLOG))
    }

    /// The changes from now on.
    pub(super) fn listen(&self) -> impl Stream<Item = Change> + Send + use<> {
        stream::unfold(self.0.subscribe(), async |mut receiver| match receiver.recv().await {
            Ok(change) => Some((change, receiver)),
            Err(broadcast::error::RecvError::Lagged(_)) => Some((Change::Anything, receiver)),
            Err(broadcast::error::RecvError::Closed) => None,
        })
    }

    /// Tells all of them what changes, until `shutdown` resolves.
    pub(super) async fn tell(self, changes: BoxStream<'static, Change>, shutdown: impl Future<Output = ()>) {
        let tell = |change| {
            // Nobody listens any more when the controllers stop.
            let _listeners = self.0.send(change);
            future::ready(())
        };
        changes.take_until(shutdown).for_each(tell).await;
    }
}

/// The changes within reach. Namespaces are watched only where they may be written to.
pub(super) fn changes(client: &Client, reach: &Reach, with_namespaces: bool) -> BoxStream<'static, Change> {
    let ours = watcher::Config::default().labels(&format!("{MANAGED_BY}={OPERATOR}"));
    let secrets = reach.apis(client).into_iter().map(|api: Api<PartialObjectMeta<Secret>>| {
        objects(api, ours.clone()).filter_map(|secret| future::ready(of_secret(&secret.metadata))).boxed()
    });
    let accounts = reach.apis(client).into_iter().map(|api: Api<PartialObjectMeta<ServiceAccount>>| {
        objects(api, watcher::Config::default()).map(|account| of_account(&account.metadata)).boxed()
    });
    let namespaces = if with_namespaces { namespaces(client, reach) } else { Vec::new() };
    stream::select_all(secrets.chain(accounts).chain(namespaces)).boxed()
}

/// Named namespaces are watched one by one, by name: the right to do so can be given for each.
fn namespaces(client: &Client, reach: &Reach) -> Vec<BoxStream<'static, Change>> {
    let configs = match reach {
        Reach::Everywhere => vec![watcher::Config::default()],
        Reach::Within(names) => {
            let one = |name| watcher::Config::default().fields(&format!("metadata.name={name}"));
            names.iter().map(one).collect()
        }
    };
    let all = || Api::<PartialObjectMeta<Namespace>>::all(client.clone());
    let watched = configs.into_iter().map(|config| {
        let namespaces = watcher(all(), config).default_backoff().applied_objects();
        // Annotations of namespaces change often, and mean nothing here.
        let changed =
            namespaces.predicate_filter(predicates::labels.combine(leaves), PredicateConfig::default());
        logged(changed).map(|_| Change::Namespace).boxed()
    });
    watched.collect()
}

/// A number that changes when an object begins to go away.
#[expect(clippy::unnecessary_wraps, reason = "a predicate may have no answer")]
fn leaves(object: &impl ResourceExt) -> Option<u64> {
    Some(u64::from(object.meta().deletion_timestamp.is_some()))
}

fn objects<K>(
    api: Api<PartialObjectMeta<K>>,
    config: watcher::Config,
) -> impl Stream<Item = PartialObjectMeta<K>> + Send
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    logged(watcher(api, config).default_backoff().touched_objects())
}

fn logged<K: Resource<DynamicType = ()>>(
    objects: impl Stream<Item = Result<PartialObjectMeta<K>, watcher::Error>>,
) -> impl Stream<Item = PartialObjectMeta<K>> {
    objects.filter_map(|object| {
        let object = object.inspect_err(|error| {
            warn!(kind = %K::kind(&()), error = error as &dyn std::error::Error, "watch interrupted; it is resumed");
        });
        future::ready(object.ok())
    })
}

fn of_account(account: &ObjectMeta) -> Change {
    let (namespace, name) =
        (account.namespace.clone().unwrap_or_default(), account.name.clone().unwrap_or_default());
    Change::ServiceAccount { namespace, name }
}

/// The Registry whose copy a Secret is, or whose original by its name.
fn of_secret(secret: &ObjectMeta) -> Option<Change> {
    if let Some((namespace, name)) = Owner::named_by(secret) {
        return Some(Change::Secret { namespace: namespace.to_owned(), name: name.to_owned() });
    }
    let name = secret.labels.as_ref()?.get(INSTANCE)?;
    let original = secret.name.as_deref() == Some(&format!("{name}-pull"));
    let namespace = secret.namespace.clone().unwrap_or_default();
    original.then(|| Change::Secret { namespace, name: name.clone() })
}

/// The Registries that a change concerns.
pub(super) fn concerned(change: &Change, known: &Store<Guarded>) -> Vec<ObjectRef<Guarded>> {
    let all = known.state();
    let registries = all.iter().filter_map(|registry| registry.0.as_ref().ok());
    registries.filter(|registry| concerns(change, registry)).map(reference).collect()
}

fn reference(registry: &Registry) -> ObjectRef<Guarded> {
    ObjectRef::new(&registry.name_any()).within(&registry.namespace().unwrap_or_default())
}

fn concerns(change: &Change, registry: &Registry) -> bool {
    let spec = &registry.spec.access.pull_secrets;
    let own = registry.namespace().unwrap_or_default();
    match change {
        Change::Namespace => matches!(spec.from, NamespacesFrom::Selector | NamespacesFrom::All),
        Change::ServiceAccount { namespace, name } => {
            let within = *namespace == own || spec.from != NamespacesFrom::Same;
            within && spec.service_accounts.contains(name)
        }
        Change::Secret { namespace, name } => *namespace == own && *name == registry.name_any(),
        Change::Anything => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fixtures;

    fn registry(spec: &str) -> Registry {
        fixtures::registry(&format!("{{access: {{pullSecrets: {spec}}}}}"))
    }

    fn account(namespace: &str, name: &str) -> Change {
        Change::ServiceAccount { namespace: namespace.to_owned(), name: name.to_owned() }
    }

    #[test]
    fn a_namespace_concerns_those_that_choose_among_namespaces() {
        assert!(concerns(&Change::Namespace, &registry("{from: All}")));
        assert!(concerns(&Change::Namespace, &registry("{from: Selector, selector: {}}")));
        assert!(!concerns(&Change::Namespace, &registry("{}")));
    }

    #[test]
    fn a_service_account_concerns_those_that_name_it() {
        let everywhere = registry("{from: All, serviceAccounts: [default]}");
        assert!(concerns(&account("team-a", "default"), &everywhere));
        assert!(!concerns(&account("team-a", "builder"), &everywhere));
        let here = registry("{serviceAccounts: [default]}");
        assert!(concerns(&account("default", "default"), &here));
        assert!(!concerns(&account("team-a", "default"), &here));
    }

    #[test]
    fn a_secret_concerns_the_registry_that_it_belongs_to() {
        let of = |metadata| of_secret(&serde_json::from_value(metadata).unwrap());
        let hub = registry("{}");
        let original = json!({"name": "hub-pull", "namespace": "default", "labels": {INSTANCE: "hub"}});
        assert!(concerns(&of(original).unwrap(), &hub));
        let labels = Owner::of(hub.meta()).labels();
        assert!(concerns(&of(json!({"name": "x", "namespace": "team-a", "labels": labels})).unwrap(), &hub));
        assert_eq!(
            of(json!({"name": "hub-admin", "namespace": "default", "labels": {INSTANCE: "hub"}})),
            None
        );
    }

    #[tokio::test]
    async fn who_falls_behind_is_told_that_anything_may_have_changed() {
        let listeners = Listeners::none();
        let mut heard = std::pin::pin!(listeners.listen());
        let many = stream::repeat(Change::Namespace).take(BACKLOG + 1).boxed();
        listeners.clone().tell(many, future::pending()).await;
        assert_eq!(heard.next().await, Some(Change::Anything));
        assert_eq!(heard.next().await, Some(Change::Namespace));
    }
}
