//! Reads what is there: the objects of a Registry and those that its spec refers to. Live reads, no cache: what is
//! decided here may overwrite or delete.

use berth_crds::Registry;
use futures::future::try_join_all;
use k8s_openapi::api::{
    core::v1::{ConfigMap, PersistentVolumeClaim, Secret},
    storage::v1::StorageClass,
};
use kube::{Api, Client, api::ListParams};

use super::build::Objects;
use crate::{
    children::{Children, Kind},
    metadata::Identity,
};

/// What exists.
#[derive(Debug, Default)]
pub struct Observed {
    /// The Registry's own objects.
    pub children: Children,
    /// The Secret of `spec.access.htpasswdSecretName`.
    pub htpasswd_secret: Option<Secret>,
    /// Whether the API of cert-manager is served.
    pub cert_manager: bool,
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
    /// The `StorageClasses` of the cluster, if the operator may list them.
    pub storage_classes: Option<Vec<StorageClass>>,
}

/// Reads everything that the state of `registry` depends on.
pub async fn observe(
    client: &Client,
    registry: &Registry,
    cert_manager: bool,
) -> Result<Observed, kube::Error> {
    let identity = Identity::of(registry);
    let namespace = &identity.namespace;
    let spec = &registry.spec;
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), namespace);
    let config_maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let s3 = spec.storage.s3.as_ref();
    let certificate = certificate_secret(registry);
    let (
        children,
        htpasswd_secret,
        certificate_secret,
        existing_claim,
        bucket_secret,
        bucket_ca_secret,
        bucket_ca_config_map,
        storage_classes,
    ) = futures::try_join!(
        children(client, &identity, cert_manager),
        referenced(&secrets, spec.access.htpasswd_secret_name.as_deref()),
        referenced(&secrets, certificate.as_deref()),
        referenced(&claims, spec.storage.claim_name.as_deref()),
        referenced(&secrets, s3.and_then(|s3| s3.secret_name.as_deref())),
        referenced(&secrets, s3.and_then(|s3| s3.ca_secret_name.as_deref())),
        referenced(&config_maps, s3.and_then(|s3| s3.ca_config_map_name.as_deref())),
        storage_classes(client, registry),
    )?;
    Ok(Observed {
        children,
        htpasswd_secret,
        cert_manager,
        certificate_secret,
        existing_claim,
        bucket_secret,
        bucket_ca_secret,
        bucket_ca_config_map,
        storage_classes,
    })
}

/// The Secret that the serving certificate is taken from, unless the operator issues it.
pub fn certificate_secret(registry: &Registry) -> Option<String> {
    let tls = &registry.spec.tls;
    let issued = tls.issuer_ref.as_ref().map(|_| Objects::ids(&Identity::of(registry)).certificate.name);
    tls.secret_name.clone().or(issued)
}

async fn children(client: &Client, identity: &Identity, cert_manager: bool) -> Result<Children, kube::Error> {
    let ids = Objects::ids(identity).into_ordered();
    let served = ids.into_iter().filter(|id| cert_manager || id.kind != Kind::Certificate);
    let reads = served.map(async |id| {
        let object = match id.api(client, &identity.namespace).get_opt(&id.name).await {
            // An older role does not know of it, and most Registries do not need it.
            Err(kube::Error::Api(status)) if status.code == 403 && id.kind == Kind::Certificate => None,
            other => other?,
        };
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

async fn storage_classes(
    client: &Client,
    registry: &Registry,
) -> Result<Option<Vec<StorageClass>>, kube::Error> {
    if registry.spec.storage.pvc.is_none() {
        return Ok(None);
    }
    match Api::<StorageClass>::all(client.clone()).list(&ListParams::default()).await {
        Ok(list) => Ok(Some(list.items)),
        // They only make the message better when a claim stays pending.
        Err(kube::Error::Api(status)) if status.code == 403 => Ok(None),
        Err(error) => Err(error),
    }
}
