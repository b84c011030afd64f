//! Everything that the decision depends on, read from the API server now. Of all but the original, only metadata is read.

use std::collections::BTreeMap;

use berth_crds::Registry;
use k8s_openapi::{
    api::core::v1::{Secret, ServiceAccount},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{Api, Client, Resource, api::ListParams};

use super::{
    Context, finalizer,
    owner::Owner,
    reach::Reach,
    selection,
    settled::{Kind, Place},
};
use crate::{metadata::Identity, registry::build::Objects};

/// What there is.
pub(super) struct Observed {
    /// The Secret `NAME-pull`, if it is this Registry's.
    pub(super) original: Option<Secret>,
    /// The namespaces to choose among, where the spec asks for others than its own.
    pub(super) namespaces: Vec<ObjectMeta>,
    /// What the Registry has left so far, and where it may leave more.
    pub(super) traces: Traces,
}

/// What a Registry has left, and the ServiceAccounts that it names.
#[derive(Default)]
pub(super) struct Traces {
    /// Its copies of the Secret.
    pub(super) copies: BTreeMap<Place, ObjectMeta>,
    /// ServiceAccounts that have an entry from it, or a name that its spec has.
    pub(super) accounts: BTreeMap<Place, ObjectMeta>,
}

/// Reads it.
pub(super) async fn observe(
    context: &Context,
    registry: &Registry,
    owner: &Owner,
) -> Result<Observed, kube::Error> {
    let client = &context.client;
    let spec = &registry.spec.access.pull_secrets;
    let reaches_out = selection::reaches_out(spec);
    // Without the finalizer there is nothing in other namespaces.
    let wide = reaches_out || finalizer::is_on(registry.meta());
    let own = Reach::Within(vec![owner.namespace.clone()]);
    let reach = if wide { &context.reach } else { &own };
    let plain = !wide && spec.service_accounts.is_empty() && spec.secret_name.is_none();
    Ok(Observed {
        original: original(client, registry).await?,
        namespaces: if reaches_out && !context.allow_list.is_empty() {
            context.reach.namespaces(client).await?
        } else {
            Vec::new()
        },
        traces: if plain {
            Traces::default()
        } else {
            traces(client, reach, owner, &spec.service_accounts).await?
        },
    })
}

/// Reads what a Registry has left, and the ServiceAccounts of these names.
pub(super) async fn traces(
    client: &Client,
    reach: &Reach,
    owner: &Owner,
    names: &[String],
) -> Result<Traces, kube::Error> {
    let copies = reach.list::<Secret>(client, &ListParams::default().labels(&owner.selector())).await?;
    let mut accounts =
        reach.list::<ServiceAccount>(client, &ListParams::default().labels(&owner.mark())).await?;
    for name in names {
        let by_name = ListParams::default().fields(&format!("metadata.name={name}"));
        accounts.extend(reach.list::<ServiceAccount>(client, &by_name).await?);
    }
    Ok(Traces { copies: by_place(Kind::Secret, copies), accounts: by_place(Kind::ServiceAccount, accounts) })
}

fn by_place(kind: Kind, objects: Vec<ObjectMeta>) -> BTreeMap<Place, ObjectMeta> {
    objects.into_iter().map(|object| (Place::of(kind, &object), object)).collect()
}

async fn original(client: &Client, registry: &Registry) -> Result<Option<Secret>, kube::Error> {
    let identity = Identity::of(registry);
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &identity.namespace);
    let found = secrets.get_opt(&Objects::ids(&identity).pull.name).await?;
    Ok(found.filter(|secret| identity.has(&secret.metadata)))
}
