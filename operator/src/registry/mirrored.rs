//! What `spec.mirrors` refers to, read now.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
};

use berth_crds::mirrors::Mirror;
use futures::future::try_join_all;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Api;
use serde::de::DeserializeOwned;

/// Those of the objects that exist, by their names.
#[derive(Debug, Default)]
pub struct Mirrored {
    /// The Secrets of `secretName` and `caSecretName`.
    pub secrets: BTreeMap<String, Secret>,
    /// The ConfigMaps of `caConfigMapName`.
    pub config_maps: BTreeMap<String, ConfigMap>,
}

impl Mirrored {
    /// Reads them.
    pub async fn observe(
        secrets: &Api<Secret>,
        config_maps: &Api<ConfigMap>,
        mirrors: &[Mirror],
    ) -> Result<Self, kube::Error> {
        Ok(Self {
            secrets: named(secrets, mirrors.iter().flat_map(Mirror::secrets)).await?,
            config_maps: named(config_maps, mirrors.iter().filter_map(Mirror::config_map)).await?,
        })
    }
}

async fn named<K>(api: &Api<K>, names: impl Iterator<Item = &str>) -> Result<BTreeMap<String, K>, kube::Error>
where
    K: Clone + Debug + DeserializeOwned,
{
    let names: BTreeSet<&str> = names.collect();
    let reads = names.into_iter().map(async |name| {
        let found = api.get_opt(name).await?;
        Ok::<_, kube::Error>(found.map(|object| (name.to_owned(), object)))
    });
    Ok(try_join_all(reads).await?.into_iter().flatten().collect())
}
