//! The tags of a repository (distribution specification, end-8).

use axum::extract::State;

use super::{
    Api,
    authorize::Pull,
    error::Result,
    location::Locations,
    mirrored,
    query::Parameters,
    respond::{TagList, TagSummaries},
};
use crate::repository::Page;

/// The most tags of one page with summaries, also when the client asks for more or for none in particular.
const MOST: usize = 1000;

/// `GET /v2/<name>/tags/list`
///
/// All of them without `n`, as some clients do not follow links. A page that is asked for is cut to the configured
/// length, and then leads on to the next.
pub(super) async fn list(
    Pull(repository): Pull,
    State(api): State<Api>,
    locations: Locations,
    parameters: Parameters,
) -> Result<TagList> {
    let page = parameters.page()?.at_most(api.limits.tags);
    let tags = mirrored::tags(&api.mirrors, &repository, &page).await?;
    Ok(TagList {
        path: locations.tags(repository.name()),
        name: repository.name().clone(),
        tags,
        limit: page.limit,
    })
}

/// `GET /v2/<name>/_berth/tags`: an endpoint of our own.
pub(super) async fn summarize(
    Pull(repository): Pull,
    locations: Locations,
    parameters: Parameters,
) -> Result<TagSummaries> {
    let asked = parameters.page()?;
    let limit = asked.limit.map_or(MOST, |limit| limit.min(MOST));
    let tags = repository.tags().summaries(&Page { limit: Some(limit), last: asked.last }).await?;
    let path = locations.tag_summaries(repository.name());
    Ok(TagSummaries { path, name: repository.name().clone(), tags, limit })
}
