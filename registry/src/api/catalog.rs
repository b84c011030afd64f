//! The repositories of the registry, as far as the user may pull from them.

use axum::extract::State;

use super::{
    Api, access_record::AccessRecord, authorize::refusal, error::Result, extract::Sender,
    location::Locations, query::Parameters, respond::Catalog,
};
use crate::repository::Page;

/// `GET /v2/_catalog`
///
/// No page is longer than configured, also when the client asks for more or for none in particular.
pub(super) async fn list(
    State(api): State<Api>,
    Sender(identity): Sender,
    locations: Locations,
    parameters: Parameters,
) -> Result<Catalog> {
    if !api.auth.may_list(&identity) {
        return Err(refusal(&identity, "may not list the repositories", AccessRecord::catalog(), true));
    }
    let most = api.limits.catalog;
    let asked = parameters.page()?.at_most(most);
    let limit = asked.limit.unwrap_or(most);
    let visible = |name: &_| api.auth.may_see(&identity, name);
    let page = Page { limit: Some(limit), last: asked.last };
    let repositories = api.registry.catalog(&page, visible).await?;
    Ok(Catalog { path: locations.catalog(), repositories, limit })
}
