//! Reads what is there: the objects of a Registry and those that its spec refers to. Live reads, no cache: what is
//! decided here may overwrite or delete.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
};

use berth_crds::{
    Registry, RegistryAccess, RegistryStatus, allowed::From, rotation::RotationPhase,
    service_account_tokens::ServiceAccountTokens,
};
use futures::{StreamExt, TryStreamExt, future::try_join_all, stream};
use k8s_openapi::api::{
    core::v1::{ConfigMap, Namespace, PersistentVolumeClaim, Secret},
    networking::v1::IngressClass,
    storage::v1::StorageClass,
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::ListParams,
    core::{ClusterResourceScope, DeserializeGuard, PartialObjectMeta},
};
use serde::de::DeserializeOwned;

use super::{
    Scope, build::Objects, collections::Collections, loaded::Loaded, mirrored::Mirrored, replication,
    validate::consent::Labels, watches,
};
use crate::{
    apis::Served,
    children::{Children, Kind},
    context::Context,
    metadata::{Identity, REPLICATION},
    nodes::{self, Known},
    token_issuer,
};

/// How many of a Registry's objects are read at the same time.
const READS: usize = 12;

/// A RegistryAccess, or why it does not parse.
pub type GuardedAccess = DeserializeGuard<RegistryAccess>;

/// What exists.
#[derive(Debug, Default)]
pub struct Observed {
    /// The Registry's own objects.
    pub children: Children,
    /// The Secret of `spec.access.htpasswdSecretName`.
    pub htpasswd_secret: Option<Secret>,
    /// The Secret of `spec.tls.secretName`, or the one that cert-manager fills for `spec.tls.issuerRef`.
    pub certificate_secret: Option<Secret>,
    /// The claim of `spec.storage.claimName`.
    pub existing_claim: Option<PersistentVolumeClaim>,
    /// The Secret of `spec.storage.s3.secretName`.
    pub bucket_secret: Option<Secret>,
    /// The Secret of `spec.storage.s3.caSecretName`.
    pub bucket_ca_secret: Option<Secret>,
    /// The ConfigMap of `spec.storage.s3.caConfigMapName`.
    pub bucket_ca_config_map: Option<ConfigMap>,
    /// What `spec.mirrors` refers to.
    pub mirrored: Mirrored,
    /// The garbage collections.
    pub collections: Collections,
    /// The copies from other registries and to them.
    pub replications: Collections,
    /// The `StorageClasses` of the cluster, if the operator may list them.
    pub storage_classes: Option<Vec<StorageClass>>,
    /// The `IngressClasses` of the cluster, if the operator may list them.
    pub ingress_classes: Option<Vec<IngressClass>>,
    /// The kinds that the cluster serves.
    pub served: Served,
    /// The RegistryAccesses for it.
    pub accesses: Vec<GuardedAccess>,
    /// The labels of their namespaces, where consent depends on them.
    pub namespaces: BTreeMap<String, Labels>,
    /// What each replica says it has loaded.
    pub loaded: Loaded,
    /// Who signs the tokens of ServiceAccounts, where they are passwords.
    pub token_issuer: Option<token_issuer::Outcome>,
    /// What nodes know of its authorities, while these are being replaced.
    pub nodes: Option<Known>,
}

/// Reads everything that the state of `registry` depends on.
pub async fn observe(context: &Context, registry: &Registry) -> Result<Observed, kube::Error> {
    let client = &context.client;
    let identity = Identity::of(registry);
    let spec = &registry.spec;
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &identity.namespace);
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), &identity.namespace);
    let config_maps: Api<ConfigMap> = Api::namespaced(client.clone(), &identity.namespace);
    let s3 = spec.storage.s3.as_ref();
    let served = context.apis.served(client).await?;
    let certificate = certificate_secret(registry);
    let (
        children,
        htpasswd_secret,
        certificate_secret,
        existing_claim,
        bucket_secret,
        bucket_ca_secret,
        bucket_ca_config_map,
        collections,
        replications,
        loaded,
        accesses,
        storage_classes,
        ingress_classes,
    ) = futures::try_join!(
        children(client, registry, &served),
        referenced(&secrets, spec.access.htpasswd_secret_name.as_deref()),
        referenced(&secrets, certificate.as_deref()),
        referenced(&claims, spec.storage.claim_name.as_deref()),
        referenced(&secrets, s3.and_then(|s3| s3.secret_name.as_deref())),
        referenced(&secrets, s3.and_then(|s3| s3.ca_secret_name.as_deref())),
        referenced(&config_maps, s3.and_then(|s3| s3.ca_config_map_name.as_deref())),
        Collections::observe(client, &identity),
        replications(client, registry, &identity),
        Loaded::observe(client, &identity),
        accesses(client, &context.scopes, &identity),
        classes(client, spec.storage.pvc.is_some()),
        classes(client, spec.ingress.is_some()),
    )?;
    Ok(Observed {
        namespaces: namespaces(client, spec.access.allowed.from, &accesses).await?,
        children,
        htpasswd_secret,
        certificate_secret,
        existing_claim,
        bucket_secret,
        bucket_ca_secret,
        bucket_ca_config_map,
        collections,
        replications,
        storage_classes,
        ingress_classes,
        served,
        accesses,
        loaded,
        token_issuer: token_issuer(context, registry).await,
        mirrored: Mirrored::observe(&secrets, &config_maps, &spec.mirrors).await?,
        nodes: nodes(context, registry).await?,
    })
}

/// The Jobs of the copies, where there are any.
async fn replications(
    client: &Client,
    registry: &Registry,
    identity: &Identity,
) -> Result<Collections, kube::Error> {
    match registry.spec.replication {
        Some(_) => Collections::observe_component(client, identity, REPLICATION).await,
        None => Ok(Collections::default()),
    }
}

async fn token_issuer(context: &Context, registry: &Registry) -> Option<token_issuer::Outcome> {
    let ServiceAccountTokens(wanted) = registry.spec.access.service_account_tokens;
    if wanted { Some(context.token_issuer.get(&context.client).await) } else { None }
}

/// Only a rotation has to know.
async fn nodes(context: &Context, registry: &Registry) -> Result<Option<Known>, kube::Error> {
    let Some(agents) = &context.settings.node_agent else { return Ok(None) };
    let phase = |status: &RegistryStatus| Some(status.tls.as_ref()?.rotation.as_ref()?.phase);
    match registry.status.as_ref().and_then(phase) {
        Some(RotationPhase::Trusting) => nodes::known(&context.client, agents, registry).await,
        _ => Ok(None),
    }
}

/// The Secret that the serving certificate is taken from, unless the operator issues it.
pub fn certificate_secret(registry: &Registry) -> Option<String> {
    let tls = &registry.spec.tls;
    let issued = tls.issuer_ref.as_ref().map(|_| Objects::ids(&Identity::of(registry)).certificate.name);
    tls.secret_name.clone().or(issued)
}

async fn children(client: &Client, registry: &Registry, served: &Served) -> Result<Children, kube::Error> {
    let identity = Identity::of(registry);
    let ids = Objects::ids(&identity).into_stages().into_iter().flatten().chain(replication::ids(registry));
    let reads = ids.filter(|id| served.has(id.kind)).map(async |id| {
        let object = match id.api(client, &identity.namespace).get_opt(&id.name).await {
            // An older role does not know of it, and most Registries do not need it.
            Err(kube::Error::Api(status)) if status.code == 403 && Kind::OPTIONAL.contains(&id.kind) => None,
            other => other?,
        };
        Ok::<_, kube::Error>((id, object))
    });
    // Each that is read at the same time takes a connection of its own.
    let mut read = stream::iter(reads).buffer_unordered(READS);
    let mut children = Children::default();
    while let Some((id, object)) = read.try_next().await? {
        if let Some(object) = object {
            children.insert(id, object);
        }
    }
    Ok(children)
}

async fn referenced<K>(api: &Api<K>, name: Option<&str>) -> Result<Option<K>, kube::Error>
where
    K: Clone + Debug + DeserializeOwned,
{
    match name {
        Some(name) => api.get_opt(name).await,
        None => Ok(None),
    }
}

/// Those in the scopes that this operator watches. Of one that does not parse, only the name of its Registry is known.
async fn accesses(
    client: &Client,
    scopes: &[Scope],
    identity: &Identity,
) -> Result<Vec<GuardedAccess>, kube::Error> {
    let by_name = ListParams::default().fields(&format!("spec.registryRef.name={}", identity.name));
    let lists = scopes.iter().map(async |scope| {
        match watches::api::<GuardedAccess>(client, scope).list(&by_name).await {
            Ok(list) => Ok(list.items),
            // An operator that is newer than the definitions of the resources goes on with what there is.
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    });
    let all = try_join_all(lists).await?.into_iter().flatten();
    let meant = |access: &GuardedAccess| match &access.0 {
        Ok(access) => registry_of(access) == (identity.namespace.clone(), identity.name.clone()),
        Err(_) => true,
    };
    Ok(all.filter(meant).collect())
}

/// The namespace and the name of the Registry that a RegistryAccess is for.
pub fn registry_of(access: &RegistryAccess) -> (String, String) {
    let reference = &access.spec.registry_ref;
    let namespace = reference.namespace.clone().or_else(|| access.namespace()).unwrap_or_default();
    (namespace, reference.name.clone())
}

/// The labels of the namespaces, where consent depends on them.
async fn namespaces(
    client: &Client,
    consenting_by: From,
    accesses: &[GuardedAccess],
) -> Result<BTreeMap<String, Labels>, kube::Error> {
    if consenting_by != From::Selector {
        return Ok(BTreeMap::new());
    }
    let names: BTreeSet<String> = accesses.iter().filter_map(ResourceExt::namespace).collect();
    let reads = names
        .into_iter()
        .map(async |name| Ok::<_, kube::Error>((name.clone(), labels(client, &name).await?)));
    let read = try_join_all(reads).await?;
    Ok(read.into_iter().filter_map(|(name, labels)| Some((name, labels?))).collect())
}

/// The labels of a namespace, if it exists.
pub async fn labels(client: &Client, namespace: &str) -> Result<Option<Labels>, kube::Error> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let found: Option<PartialObjectMeta<Namespace>> = namespaces.get_metadata_opt(namespace).await?;
    Ok(found.map(|namespace| namespace.metadata.labels.unwrap_or_default()))
}

/// The classes of one kind, if they are `needed` and may be listed: they only make the conditions say more.
async fn classes<K>(client: &Client, needed: bool) -> Result<Option<Vec<K>>, kube::Error>
where
    K: Resource<DynamicType = (), Scope = ClusterResourceScope> + Clone + Debug + DeserializeOwned,
{
    if !needed {
        return Ok(None);
    }
    match Api::<K>::all(client.clone()).list(&ListParams::default()).await {
        Ok(list) => Ok(Some(list.items)),
        Err(kube::Error::Api(status)) if status.code == 403 => Ok(None),
        Err(error) => Err(error),
    }
}
