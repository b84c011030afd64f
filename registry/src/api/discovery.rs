//! What this server offers beyond the specification, for clients that ask (extension `_oci` of the specification).

use super::{
    authorize::Pull,
    location::Locations,
    respond::{Documentation, Extensions},
};

/// Below `/v2/`.
const OF_REGISTRY: &[&str] =
    &["_berth/garbage-collection", "_berth/read-only", "_berth/referrers/rebuild", "_berth/retention"];
/// Below `/v2/<name>/`.
const OF_REPOSITORY: &[&str] =
    &["_berth/copy", "_berth/repository", "_berth/restore", "_berth/tags", "_berth/trash"];

/// `GET /v2/_oci/ext/discover`
pub(super) async fn of_registry(locations: Locations) -> Extensions {
    Extensions { documentation: locations.documentation(), endpoints: OF_REGISTRY }
}

/// `GET /v2/<name>/_oci/ext/discover`
pub(super) async fn of_repository(_: Pull, locations: Locations) -> Extensions {
    Extensions { documentation: locations.documentation(), endpoints: OF_REPOSITORY }
}

/// `GET /v2/_berth`: the page that describes our own endpoints.
pub(super) async fn documentation() -> Documentation {
    Documentation(include_str!("../../EXTENSION.md"))
}
