//! Reads what is there: the objects of a Registry and those that its spec refers to. Live reads, no cache: what is
//! decided here may overwrite or delete.

use berth_crds::Registry;
use futures::future::try_join_all;
use k8s_openapi::api::{
    core::v1::{ConfigMap, PersistentVolumeClaim, Secret},
    networking::v1::IngressClass,
    storage::v1::StorageClass,
};
use kube::{Api, Client, Resource, api::ListParams, core::ClusterResourceScope};

use super::build::Objects;
use crate::{apis::Served, children::Children, metadata::Identity};

/// What exists.
#[derive(Debug, Default)]
pub struct Observed {
    /// The Registry's own objects.
    pub children: Children,
    /// The Secret of `spec.access.htpasswdSecretName`.
    pub htpasswd_secret: Option<Secret>,
    /// The Secret of `spec.tls.secretName`.
    pub certificate_secret: Option<Secret>,
    /// The claim of `spec.storage.claimName`.
    pub existing_claim: Option<PersistentVolumeClaim>,
    /// The Secret of `spec.storage.s3.secretName`.
    pub bucket_secret: Option<Secret>,
    /// The Secret of `spec.storage.s3.caSecretName`.
    pub bucket_ca_secret: Option<Secret>,
    /// The ConfigMap of `spec.storage.s3.caConfigMapName`.
    pub bucket_ca_config_map: Option<ConfigMap>,
    /// The `StorageClasses` of the cluster, if the operator may list them.
    pub storage_classes: Option<Vec<StorageClass>>,
    /// The `IngressClasses` of the cluster, if the operator may list them.
    pub ingress_classes: Option<Vec<IngressClass>>,
    /// The kinds that the cluster serves.
    pub served: Served,
}

/// Reads everything that the state of `registry` depends on.
pub async fn observe(client: &Client, registry: &Registry, served: Served) -> Result<Observed, kube::Error> {
    let identity = Identity::of(registry);
    let namespace = &identity.namespace;
    let spec = &registry.spec;
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), namespace);
    let config_maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let s3 = spec.storage.s3.as_ref();
    let (
        children,
        htpasswd_secret,
        certificate_secret,
        existing_claim,
        bucket_secret,
        bucket_ca_secret,
        bucket_ca_config_map,
        storage_classes,
        ingress_classes,
    ) = futures::try_join!(
        children(client, &identity, &served),
        referenced(&secrets, spec.access.htpasswd_secret_name.as_deref()),
        referenced(&secrets, spec.tls.secret_name.as_deref()),
        referenced(&claims, spec.storage.claim_name.as_deref()),
        referenced(&secrets, s3.and_then(|s3| s3.secret_name.as_deref())),
        referenced(&secrets, s3.and_then(|s3| s3.ca_secret_name.as_deref())),
        referenced(&config_maps, s3.and_then(|s3| s3.ca_config_map_name.as_deref())),
        classes(client, spec.storage.pvc.is_some()),
        classes(client, spec.ingress.is_some()),
    )?;
    Ok(Observed {
        children,
        htpasswd_secret,
        certificate_secret,
        existing_claim,
        bucket_secret,
        bucket_ca_secret,
        bucket_ca_config_map,
        storage_classes,
        ingress_classes,
        served,
    })
}

async fn children(client: &Client, identity: &Identity, served: &Served) -> Result<Children, kube::Error> {
    let ids = Objects::ids(identity).into_ordered();
    let reads = ids.into_iter().filter(|id| served.has(id.kind)).map(async |id| {
        let object = id.api(client, &identity.namespace).get_opt(&id.name).await?;
        Ok::<_, kube::Error>((id, object))
    });
    let mut children = Children::default();
    for (id, object) in try_join_all(reads).await? {
        if let Some(object) = object {
            children.insert(id, object);
        }
    }
    Ok(children)
}

async fn referenced<K>(api: &Api<K>, name: Option<&str>) -> Result<Option<K>, kube::Error>
where
    K: Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    match name {
        Some(name) => api.get_opt(name).await,
        None => Ok(None),
    }
}

/// The classes of one kind, if they are `needed` and may be listed: they only make the conditions say more.
async fn classes<K>(client: &Client, needed: bool) -> Result<Option<Vec<K>>, kube::Error>
where
    K: Resource<DynamicType = (), Scope = ClusterResourceScope>
        + Clone
        + std::fmt::Debug
        + serde::de::DeserializeOwned,
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
