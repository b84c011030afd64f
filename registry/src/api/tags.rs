//! The tags of a repository (distribution specification, end-8).

use super::{authorize::Pull, error::Result, location::Locations, query::Parameters, respond::TagList};

/// `GET /v2/<name>/tags/list`
pub(super) async fn list(
    Pull(repository): Pull,
    locations: Locations,
    parameters: Parameters,
) -> Result<TagList> {
    let page = parameters.page()?;
    let tags = repository.tags().list(&page).await?;
    Ok(TagList {
        path: locations.tags(repository.name()),
        name: repository.name().clone(),
        tags,
        limit: page.limit,
    })
}
