//! What makes a RegistryAccess be looked at again: a change of its Secret, of its namespace, or of what its Registry has
//! decided. Only metadata is watched.

use std::fmt::Debug;

use berth_crds::{Registry, RegistryAccess};
use futures::{
    StreamExt,
    stream::{self, BoxStream},
};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::{
    Api, Client, Resource, ResourceExt,
    core::PartialObjectMeta,
    runtime::{
        reflector::{ObjectRef, Store},
        watcher,
    },
};
use serde::de::DeserializeOwned;

use super::build::secret_name;
use crate::{
    metadata::INSTANCE,
    registry::{
        Scope,
        observe::{GuardedAccess, registry_of},
        watches::{api, objects, ours},
    },
};

type Known = Store<GuardedAccess>;

/// The RegistryAccesses of `scope` that a change of some object concerns; their Registries may be in any of `scopes`.
pub(super) fn concerned(
    client: &Client,
    scope: &Scope,
    scopes: &[Scope],
    known: &Known,
) -> BoxStream<'static, ObjectRef<GuardedAccess>> {
    let all = watcher::Config::default;
    let mut changes = vec![
        concerning::<Secret>(api(client, scope), all(), known, is_secret_of),
        concerning::<Namespace>(Api::all(client.clone()), all(), known, |namespace, access| {
            access.namespace() == namespace.metadata.name
        }),
    ];
    for scope in scopes {
        changes.push(concerning::<Registry>(api(client, scope), all(), known, |registry, access| {
            is_for(access, registry.namespace(), registry.name_any())
        }));
        changes.push(concerning::<Secret>(api(client, scope), ours(), known, tells_of_registry));
    }
    stream::select_all(changes).boxed()
}

fn concerning<K>(
    api: Api<PartialObjectMeta<K>>,
    config: watcher::Config,
    known: &Known,
    concerns: impl Fn(&PartialObjectMeta<K>, &RegistryAccess) -> bool + Send + 'static,
) -> BoxStream<'static, ObjectRef<GuardedAccess>>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    let known = known.clone();
    let changes = objects(api, config, K::kind(&()).into_owned()).flat_map(move |object| {
        let known = known.state();
        let readable = known.iter().filter_map(|access| access.0.as_ref().ok());
        let concerned = readable.filter(|access| concerns(&object, access)).map(reference);
        stream::iter(concerned.collect::<Vec<_>>())
    });
    changes.boxed()
}

fn reference(access: &RegistryAccess) -> ObjectRef<GuardedAccess> {
    ObjectRef::new(&access.name_any()).within(&access.namespace().unwrap_or_default())
}

fn is_for(access: &RegistryAccess, namespace: Option<String>, name: String) -> bool {
    registry_of(access) == (namespace.unwrap_or_default(), name)
}

/// Whether it is the Secret with the password, or has its name.
fn is_secret_of(secret: &PartialObjectMeta<Secret>, access: &RegistryAccess) -> bool {
    access.namespace() == secret.namespace() && secret_name(access) == secret.name_any()
}

/// Whether it is one of the Secrets by which a Registry says what it has decided.
fn tells_of_registry(secret: &PartialObjectMeta<Secret>, access: &RegistryAccess) -> bool {
    let Some(registry) = secret.labels().get(INSTANCE) else { return false };
    let tells = ["accounts", "tls"].iter().any(|part| secret.name_any() == format!("{registry}-{part}"));
    tells && is_for(access, secret.namespace(), registry.clone())
}

#[cfg(test)]
mod tests {
    use kube::core::PartialObjectMetaExt;
    use serde_json::json;

    use super::*;
    use crate::fixtures::access;

    fn secret(metadata: serde_json::Value) -> PartialObjectMeta<Secret> {
        let metadata: kube::core::ObjectMeta = serde_json::from_value(metadata).unwrap();
        metadata.into_response_partial()
    }

    #[test]
    fn the_accounts_of_a_registry_concern_those_who_have_one() {
        let access = access("team-a", "ci", "{allow: [{repositories: [x]}]}");
        let of = |namespace: &str, name: &str| {
            secret(json!({"name": name, "namespace": namespace, "labels": {INSTANCE: "hub"}}))
        };
        assert!(tells_of_registry(&of("default", "hub-accounts"), &access));
        assert!(!tells_of_registry(&of("default", "hub-storage"), &access));
        assert!(!tells_of_registry(&of("team-a", "hub-accounts"), &access), "of another Registry");
    }

    #[test]
    fn a_secret_that_takes_the_name_concerns_the_access() {
        let access = access("team-a", "ci", "{allow: [{repositories: [x]}]}");
        assert!(is_secret_of(&secret(json!({"name": "ci-registry", "namespace": "team-a"})), &access));
        assert!(!is_secret_of(&secret(json!({"name": "ci-registry", "namespace": "team-b"})), &access));
    }
}
