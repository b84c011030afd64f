//! The repositories of the registry, as far as the user may pull from them.

use axum::extract::State;

use super::{Api, error::Result, extract::Sender, location::Locations, query::Parameters, respond::Catalog};
use crate::{auth::Action, repository::Page};

/// The most names of one page, also when the client asks for more or for none in particular.
const MOST: usize = 1000;

/// `GET /v2/_catalog`
pub(super) async fn list(
    State(api): State<Api>,
    Sender(identity): Sender,
    locations: Locations,
    parameters: Parameters,
) -> Result<Catalog> {
    let asked = parameters.page()?;
    let limit = asked.limit.map_or(MOST, |limit| limit.min(MOST));
    let visible = |name: &_| api.auth.authorize(&identity, Action::Pull, name);
    let page = Page { limit: Some(limit), last: asked.last };
    let repositories = api.registry.catalog(&page, visible).await?;
    Ok(Catalog { path: locations.catalog(), repositories, limit })
}
