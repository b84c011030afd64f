//! How far a certificate authority has come among the nodes: a rotation waits for them.

use berth_crds::Registry;
use kube::{Client, ResourceExt};

use super::{Objects, key, listings, roll_call::RollCall};

/// What nodes know of a Registry's authorities.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The authorities that they are told, PEM.
    pub authorities: Option<String>,
    /// How many have yet to take that over.
    pub unaware: usize,
}

/// Asks for it; `None` where no node is told anything of the Registry.
pub async fn known(
    client: &Client,
    objects: &Objects,
    registry: &Registry,
) -> Result<Option<Known>, kube::Error> {
    let key = key(&(registry.namespace().unwrap_or_default(), registry.name_any()));
    let Some(live) = objects.config_maps(client).get_opt(objects.name()).await? else { return Ok(None) };
    let Some(listing) = listings(&live).remove(&key) else { return Ok(None) };
    let Some(nodes) = RollCall::take(objects, client).await? else { return Ok(None) };
    let unaware = nodes.tally(&key, listing.revision).unaware();
    Ok(Some(Known { authorities: listing.ca, unaware }))
}
