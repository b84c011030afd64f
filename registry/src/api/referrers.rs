//! What refers to a manifest: signatures, attestations, SBOMs (distribution specification, end-12).

use axum::extract::State;
use berth_oci::Digest;

use super::{
    Api,
    authorize::{Administrator, Pull},
    error::Result,
    extract::InPath,
    location::Locations,
    mirrored,
    query::Parameters,
    respond::{RebuiltIndex, ReferrersIndex},
};

/// `GET /v2/<name>/referrers/<digest>`, all or those of one artifact type.
pub(super) async fn list(
    Pull(repository): Pull,
    State(api): State<Api>,
    InPath(subject): InPath<Digest>,
    locations: Locations,
    parameters: Parameters,
) -> Result<ReferrersIndex> {
    let page = parameters.page()?;
    let artifact_type = parameters.get("artifactType");
    mirrored::bring_referrers(&api.mirrors, &repository, &subject).await;
    let referrers = repository.referrers().list(&subject, artifact_type, &page).await?;
    let path = locations.referrers(repository.name(), &subject);
    let artifact_type = artifact_type.map(str::to_owned);
    Ok(ReferrersIndex { path, artifact_type, referrers, limit: page.limit })
}

/// `POST /v2/_berth/referrers/rebuild`: makes the indexes of all repositories fit their manifests.
pub(super) async fn rebuild(_: Administrator, State(api): State<Api>) -> Result<RebuiltIndex> {
    Ok(RebuiltIndex(api.registry.rebuild_referrers().await?))
}
