//! What was deleted and can be brought back: endpoints of our own.

use axum::http::Method;
use berth_oci::{ErrorCode, Reference};

use super::{
    authorize::{Delete, Push},
    error::{Error, Result},
    extract::PathWord,
    notify::Happened,
    query::Parameters,
    respond::{Deleted, RestoredManifests, TrashList},
};
use crate::{
    notifications::Occurrence,
    repository::{Repository, Restored},
};

/// `GET /v2/<name>/_berth/trash`
pub(super) async fn list(Delete(repository): Delete) -> Result<TrashList> {
    let trash = repository.trash().list().await?;
    Ok(TrashList { name: repository.name().clone(), trash })
}

/// `DELETE /v2/<name>/_berth/trash`: gives it up, so that the next garbage collection frees its space.
pub(super) async fn empty(Delete(repository): Delete) -> Result<Deleted> {
    repository.trash().empty().await?;
    Ok(Deleted)
}

/// `POST /v2/<name>/_berth/restore?reference=<reference>&force=true`: brings a tag, a manifest or everything back.
pub(super) async fn restore(
    _: Delete,
    Push(repository): Push,
    parameters: Parameters,
) -> Result<(Happened, RestoredManifests)> {
    let reference = parameters.get("reference").map(str::parse::<Reference>).transpose();
    let reference = reference.map_err(|error| Reference::refuse(error, &Method::GET))?;
    let restored = repository.trash().restore(reference.as_ref(), force(&parameters)?).await?;
    let mut pushes = Vec::new();
    for one in &restored {
        pushes.extend(pushes_of(&repository, one).await?);
    }
    let name = repository.name().clone();
    Ok((Happened::new(repository, pushes), RestoredManifests { name, restored }))
}

fn force(parameters: &Parameters) -> Result<bool> {
    match parameters.get("force") {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => {
            Err(Error::bad_request(ErrorCode::Unsupported, "the parameter `force` must be true or false"))
        }
    }
}

/// To those who are told of pushes, what is back was pushed.
async fn pushes_of(repository: &Repository, restored: &Restored) -> Result<Vec<Occurrence>> {
    let manifest = repository.manifests().get(&restored.digest.into()).await?;
    let push = |tag| Occurrence::ManifestPushed(manifest.clone(), tag);
    Ok(match restored.tags.as_slice() {
        [] => vec![push(None)],
        tags => tags.iter().cloned().map(|tag| push(Some(tag))).collect(),
    })
}
