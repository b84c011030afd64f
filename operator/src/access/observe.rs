//! Reads what the state of a RegistryAccess depends on. Live reads, no cache.

use berth_crds::{Registry, RegistryAccess, allowed::From};
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client, ResourceExt, api::ListParams, core::DeserializeGuard};

use super::build::{secret_name, selector};
use crate::{
    children::{ChildId, Children, Kind},
    metadata::Identity,
    registry::{
        Guarded, Scope,
        build::Objects,
        observe::{labels, registry_of},
        validate::consent::Labels,
    },
};

/// What exists.
#[derive(Debug, Default)]
pub(super) struct Observed {
    /// The Registry, if it is there and this operator looks after it.
    pub(super) registry: Option<Registry>,
    /// Its Secrets `NAME-accounts`, `NAME-auth` and `NAME-tls`.
    pub(super) accounts: Option<Secret>,
    pub(super) auth: Option<Secret>,
    pub(super) certificate: Option<Secret>,
    /// The labels of the namespace of the RegistryAccess, where consent depends on them.
    pub(super) labels: Option<Labels>,
    /// The Secrets of the RegistryAccess, and that of the name that its own should have.
    pub(super) secrets: Children,
}

/// Reads all of it.
pub(super) async fn observe(
    client: &Client,
    scopes: &[Scope],
    access: &RegistryAccess,
) -> Result<Observed, kube::Error> {
    let secrets = secrets(client, access).await?;
    let (namespace, name) = registry_of(access);
    let is_watched = scopes.iter().any(|scope| scope.as_ref().is_none_or(|watched| *watched == namespace));
    if !is_watched {
        return Ok(Observed { secrets, ..Observed::default() });
    }
    let registries: Api<Guarded> = Api::namespaced(client.clone(), &namespace);
    let Some(DeserializeGuard(Ok(registry))) = registries.get_opt(&name).await? else {
        return Ok(Observed { secrets, ..Observed::default() });
    };
    let ids = Objects::ids(&Identity::of(&registry));
    let of_registry: Api<Secret> = Api::namespaced(client.clone(), &namespace);
    let (accounts, auth, certificate, labels) = futures::try_join!(
        of_registry.get_opt(&ids.accounts.name),
        of_registry.get_opt(&ids.auth.name),
        of_registry.get_opt(&ids.serving_certificate.name),
        labels_for(client, &registry, access),
    )?;
    Ok(Observed { registry: Some(registry), accounts, auth, certificate, labels, secrets })
}

async fn labels_for(
    client: &Client,
    registry: &Registry,
    access: &RegistryAccess,
) -> Result<Option<Labels>, kube::Error> {
    match registry.spec.access.allowed.from {
        From::Selector => labels(client, &access.namespace().unwrap_or_default()).await,
        From::Same | From::All => Ok(None),
    }
}

async fn secrets(client: &Client, access: &RegistryAccess) -> Result<Children, kube::Error> {
    let namespace = access.namespace().unwrap_or_default();
    let needed = ChildId::new(Kind::Secret, secret_name(access));
    let api = needed.api(client, &namespace);
    let own = ListParams::default().labels(&selector(access));
    let (named, labelled) = futures::try_join!(api.get_opt(&needed.name), api.list(&own))?;
    let mut children = Children::default();
    for secret in labelled.items.into_iter().chain(named) {
        children.insert(ChildId::new(Kind::Secret, secret.name_any()), secret);
    }
    Ok(children)
}
