//! What a Registry reports about itself. Pure, but for the one patch at the end.

mod available;
mod collected;
mod conditions;
mod exposed;
mod garbage_collection;
mod reloaded;
mod replicated;
mod replication;
mod route;
mod truth;

use berth_crds::{
    ConditionType, Reason, Registry, RegistryStatus,
    collection_run::GarbageCollectionStatus,
    replication::ReplicationStatus,
    status::{StorageStatus, TlsStatus},
};
use jiff::Timestamp;
use k8s_openapi::{
    api::{
        apps::v1::Deployment,
        core::v1::{PersistentVolumeClaim, Secret},
    },
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
};
use kube::{
    Api, Client, Resource,
    api::{ApiResource, DynamicObject, Patch, PatchParams},
};
use serde_json::json;

pub use conditions::{State, with_times};
pub use truth::Truth;

use super::{
    accounts::Accounts,
    authority,
    build::{Objects, Settings},
    certificates,
    collections::{Collections, request::Request},
    credentials::{ADMIN, text},
    loaded::Loaded,
    validate::{Validated, capacity},
};
use crate::{
    apply::Applied,
    children::{ChildId, Children},
    metadata::OPERATOR,
};

/// All that a reconciliation has come to, which the status tells of.
#[derive(Clone, Copy, Debug)]
pub struct Outcome<'a> {
    /// What was decided of each part.
    pub validated: &'a Validated,
    /// The users' passwords.
    pub accounts: &'a Accounts,
    /// The objects as they are now.
    pub applied: &'a Applied,
    /// What the replicas have loaded.
    pub loaded: &'a Loaded,
    /// The garbage collections.
    pub collections: &'a Collections,
    /// The copies from other registries and to them.
    pub replications: &'a Collections,
    /// The garbage collection that is asked for.
    pub request: &'a Request,
    /// The copies that are asked for.
    pub copy_request: &'a Request,
}

/// The status of a Registry after its objects were applied.
pub fn status(registry: &Registry, outcome: Outcome<'_>, settings: &Settings) -> RegistryStatus {
    let Outcome { validated, accounts, applied, collections, request, .. } = outcome;
    let now = Timestamp::now();
    let identity = &validated.identity;
    let ids = Objects::ids(identity);
    let children = &applied.children;
    let deployment: Option<Deployment> = children.get(&ids.deployment.name);
    let replicas = deployment.as_ref().and_then(|deployment| deployment.status.clone()).unwrap_or_default();
    let gc = garbage_collection::status(registry, validated, applied, collections, request, now);
    let Outcome { replications, copy_request, .. } = outcome;
    let replication = replication::status(registry, validated, applied, replications, copy_request, now);
    let states = conditions::states(outcome, &gc, replication.as_ref(), now);
    let tls = tls(children, &ids);
    RegistryStatus {
        observed_generation: registry.meta().generation,
        host: Some(validated.host.clone()),
        version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        image: deployment.as_ref().and_then(image).or_else(|| Some(settings.image.clone())),
        replicas: Some(replicas.replicas.unwrap_or_default()),
        ready_replicas: Some(replicas.ready_replicas.unwrap_or_default()),
        selector: Some(identity.selector_text()),
        admin_secret_name: children.raw(&ids.admin).map(|_| ids.admin.name.clone()),
        ca_config_map_name: children.raw(&ids.ca_bundle).map(|_| ids.ca_bundle.name.clone()),
        storage: Some(storage(validated, children)),
        tls,
        last_rotate_request: accounts.request(ADMIN),
        // The distribution of pull Secrets reports for itself.
        pull_secrets: None,
        // So do those who tell nodes.
        nodes: None,
        replication,
        gc: Some(gc).filter(|gc| *gc != GarbageCollectionStatus::default()),
        conditions: with_times(states, registry.meta().generation, previous(registry), now),
    }
}

/// The status of a Registry of which nothing can be said but that it is not ready. What is known of its garbage collections
/// and copies stays, so that none is repeated.
pub fn unusable(
    generation: Option<i64>,
    previous: &[Condition],
    (gc, replication): (Option<GarbageCollectionStatus>, Option<ReplicationStatus>),
    reason: Reason,
    message: String,
) -> RegistryStatus {
    let state = State { about: ConditionType::Ready, truth: Truth::False, reason, message };
    RegistryStatus {
        observed_generation: generation,
        gc,
        replication,
        conditions: with_times(vec![state], generation, previous, Timestamp::now()),
        ..RegistryStatus::default()
    }
}

/// The conditions that `registry` reports so far.
pub fn previous(registry: &Registry) -> &[Condition] {
    registry.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default()
}

/// Stores a status.
pub async fn write(
    client: &Client,
    namespace: &str,
    name: &str,
    status: &RegistryStatus,
) -> Result<(), kube::Error> {
    let resource = ApiResource::erase::<Registry>(&());
    let registries: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
    let patch = json!({
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"name": name},
        "status": status,
    });
    registries
        .patch_status(name, &PatchParams::apply(OPERATOR).force(), &Patch::Apply(patch))
        .await
        .map(|_| ())
}

fn image(deployment: &Deployment) -> Option<String> {
    let containers = &deployment.spec.as_ref()?.template.spec.as_ref()?.containers;
    containers.iter().find(|container| container.name == crate::metadata::SERVER)?.image.clone()
}

fn storage(validated: &Validated, children: &Children) -> StorageStatus {
    let spec = &validated.spec.storage;
    let kind = match (&spec.pvc, &spec.claim_name, &spec.s3) {
        (Some(_), _, _) => "PersistentVolumeClaim",
        (None, Some(_), _) => "ExistingClaim",
        (None, None, Some(_)) => "S3",
        (None, None, None) => "EmptyDir",
    };
    let own: Option<PersistentVolumeClaim> = children.get(&validated.identity.name);
    let capacity = match &spec.claim_name {
        Some(_) => validated.storage.existing_capacity.clone(),
        None => own.filter(|_| spec.pvc.is_some()).as_ref().and_then(capacity),
    };
    let s3 = spec.s3.as_ref();
    StorageStatus {
        kind: kind.to_owned(),
        claim_name: validated.storage.claim_name.clone(),
        capacity,
        bucket: s3.map(|s3| s3.bucket.clone()),
        prefix: s3.and_then(|s3| s3.prefix.clone()),
        endpoint: s3.and_then(|s3| s3.endpoint.clone()),
    }
}

fn tls(children: &Children, ids: &Objects<ChildId>) -> Option<TlsStatus> {
    let secret: Secret = children.get(&ids.serving_certificate.name)?;
    let own: Option<Secret> = children.get(&ids.authority.name);
    let serving = certificates::inspect(&text(&secret, "tls.crt")?).ok();
    let authority = text(&secret, "ca.crt").and_then(|ca| certificates::inspect(&ca).ok());
    Some(TlsStatus {
        not_after: serving.map(|serving| Time(serving.not_after)),
        ca_not_after: authority.as_ref().map(|authority| Time(authority.not_after)),
        ca_sha256: authority.map(|authority| authority.sha256),
        rotation: own.as_ref().and_then(authority::read).as_ref().and_then(authority::status),
    })
}
