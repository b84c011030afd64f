//! Repairs: only such as no image is lost by.
//!
//! Damaged content is set aside, because a push would otherwise find it and keep it; what leads to nothing goes, because
//! nothing can be pulled by it. Each repair looks once more before it changes anything, under the same locks as
//! the garbage collection; and a link that was taken away returns when a push of another process has brought its
//! content meanwhile.

use berth_oci::{Digest, Reference, Tag};
use berth_storage::Key;
use futures::TryStreamExt as _;

use super::{Problem, content, set_aside};
use crate::repository::state::State;
use crate::repository::{Difference, Error, Precondition, Repository, Result, layout, uploads};

/// Moves damaged content aside, so that a push heals it; `false` when nothing was done. What cannot be read may be
/// whole, and stays.
pub(super) async fn content(state: &State, problem: &Problem) -> Result<bool> {
    let Problem::DamagedContent { digest, actual } = problem else { return Ok(false) };
    let _condemned = state.liveness.condemn(digest).await;
    // Whatever reads differently at each time says more of the disk or the network than of the content.
    let again = content::judge(state, digest).await?.and_then(|verdict| verdict.problem);
    if again.as_ref() != Some(problem) {
        return Ok(false);
    }
    match set_aside::move_there(state, digest, actual).await {
        Ok(()) => {
            tracing::warn!(%digest, "set damaged content aside");
            Ok(true)
        }
        Err(Error::NoSpace(_)) => {
            tracing::warn!(%digest, "damaged content stays where it is: there is no space for a copy of it");
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Repairs what is wrong in a repository; `false` when nothing was done.
pub(super) async fn in_repository(repository: &Repository, problem: &Problem) -> Result<bool> {
    let name = &repository.name;
    match problem {
        Problem::DamagedBlobLink { digest } => {
            rewrite_link(repository, &layout::layer(name, digest), digest).await
        }
        Problem::BlobWithoutContent { digest } => {
            remove_link(repository, &layout::layer(name, digest), digest).await
        }
        Problem::DamagedManifestLink { digest } => {
            rewrite_link(repository, &layout::revision(name, digest), digest).await
        }
        Problem::ManifestWithoutContent { digest } => {
            remove_link(repository, &layout::revision(name, digest), digest).await
        }
        Problem::DamagedTag { tag } => restore_tag(repository, tag).await,
        Problem::TagWithoutManifest { tag, digest } => remove_tag(repository, tag, digest).await,
        Problem::ReferrerNotIndexed { subject, referrer } => {
            let difference = Difference::Missing { subject: *subject, referrer: *referrer };
            repository.referrers().mend(difference).await
        }
        Problem::StaleReferrer { subject, referrer } => {
            let difference = Difference::Stale { subject: *subject, referrer: *referrer };
            repository.referrers().mend(difference).await
        }
        Problem::AbandonedUpload { upload } => {
            uploads::remove_abandoned(&repository.state, name, upload).await
        }
        Problem::DamagedContent { .. } | Problem::UnreadableContent { .. } | Problem::MissingPart { .. } => {
            Ok(false)
        }
    }
}

/// Makes the link lead to what its name says, or removes it when that is not there.
async fn rewrite_link(repository: &Repository, key: &Key, digest: &Digest) -> Result<bool> {
    let state = &repository.state;
    {
        let _held = state.liveness.hold(digest).await;
        if state.rely_on(digest).await?.is_some() {
            state.write_link(key, digest).await?;
            return Ok(true);
        }
    }
    remove_link(repository, key, digest).await
}

async fn remove_link(repository: &Repository, key: &Key, digest: &Digest) -> Result<bool> {
    let state = &repository.state;
    let target = state.read_link(key).await?.unwrap_or(*digest);
    let content = layout::blob(&target);
    let _condemned = state.liveness.condemn(&target).await;
    if state.head(&content).await?.is_some() {
        return Ok(false);
    }
    state.store.delete(key).await?;
    if state.head(&content).await?.is_some() {
        // A push of another process came between, and may have written the link before it was deleted.
        state.write_link(key, &target).await?;
        return Ok(false);
    }
    Ok(true)
}

/// Lets the tag point where it pointed last, as its history says, or removes it when that is not there either.
async fn restore_tag(repository: &Repository, tag: &Tag) -> Result<bool> {
    let folder = layout::tag_history(&repository.name, tag);
    let mut remembered: Vec<_> = repository.state.store.list(&folder, None).try_collect().await?;
    remembered.sort_by_key(|link| std::cmp::Reverse(link.modified));
    for digest in remembered.iter().filter_map(|link| layout::digest_of_link(&link.key, &folder)) {
        if has_manifest(repository, &digest).await? {
            repository.tags().point(std::slice::from_ref(tag), &digest, &Precondition::default()).await?;
            tracing::warn!(name = %repository.name, %tag, %digest, "restored a damaged tag from its history");
            return Ok(true);
        }
    }
    repository.tags().delete(tag, &Precondition::default()).await
}

async fn remove_tag(repository: &Repository, tag: &Tag, digest: &Digest) -> Result<bool> {
    let _condemned = repository.state.liveness.condemn(digest).await;
    let points_there = repository.tags().resolve(tag).await? == Some(*digest);
    if !points_there || has_manifest(repository, digest).await? {
        return Ok(false);
    }
    repository.tags().delete(tag, &Precondition::default()).await
}

async fn has_manifest(repository: &Repository, digest: &Digest) -> Result<bool> {
    match repository.manifests().get(&Reference::Digest(*digest)).await {
        Ok(_) => Ok(true),
        Err(Error::ManifestUnknown(_)) => Ok(false),
        Err(error) => Err(error),
    }
}
