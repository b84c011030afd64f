//! What refers to a manifest: signatures, attestations, SBOMs (distribution specification, end-12).

use berth_oci::Digest;

use super::{authorize::Pull, error::Result, extract::InPath, query::Parameters, respond::ReferrersIndex};

/// `GET /v2/<name>/referrers/<digest>`, all or those of one artifact type.
pub(super) async fn list(
    Pull(repository): Pull,
    InPath(digest): InPath<Digest>,
    parameters: Parameters,
) -> Result<ReferrersIndex> {
    let artifact_type = parameters.get("artifactType");
    let referrers = repository.referrers().list(&digest, artifact_type).await?;
    Ok(ReferrersIndex { referrers, filtered: artifact_type.is_some() })
}
