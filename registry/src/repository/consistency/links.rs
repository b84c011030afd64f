//! Links and tags that lead nowhere.
//!
//! Pushes write content before links, and deletions remove links before content. So a link that is still there
//! after its content was seen to be missing is wrong, whatever goes on meanwhile.

use std::str;

use berth_oci::{Algorithm, Digest, Reference, Tag};
use berth_storage::Key;
use futures::{Stream, TryStreamExt as _};

use super::{CONCURRENCY, Problem};
use crate::repository::{Error, Repository, Result, layout};

/// The links to blobs that are wrong.
pub(super) fn of_blobs(repository: &Repository) -> impl Stream<Item = Result<Problem>> + '_ {
    wrong_links(repository, layout::layers(&repository.name), |digest, link| match link {
        Link::Damaged => Problem::DamagedBlobLink { digest },
        Link::Dangling => Problem::BlobWithoutContent { digest },
    })
}

/// The links to manifests that are wrong.
pub(super) fn of_manifests(repository: &Repository) -> impl Stream<Item = Result<Problem>> + '_ {
    wrong_links(repository, layout::revisions(&repository.name), |digest, link| match link {
        Link::Damaged => Problem::DamagedManifestLink { digest },
        Link::Dangling => Problem::ManifestWithoutContent { digest },
    })
}

/// The tags that are wrong.
pub(super) fn of_tags(repository: &Repository) -> impl Stream<Item = Result<Problem>> + '_ {
    let names = repository.state.store.children(&layout::tags(&repository.name), None).map_err(Error::from);
    let lookups = names.map_ok(move |name| async move {
        let Ok(tag) = name.parse::<Tag>() else { return Ok(None) };
        problem_of_tag(repository, tag).await
    });
    lookups.try_buffered(CONCURRENCY).try_filter_map(|problem| async move { Ok(problem) })
}

enum Link {
    Damaged,
    Dangling,
}

fn wrong_links(
    repository: &Repository,
    folder: Key,
    problem: fn(Digest, Link) -> Problem,
) -> impl Stream<Item = Result<Problem>> + '_ {
    let links = repository.state.store.list(&folder, None).map_err(Error::from);
    let lookups = links.map_ok(move |link| {
        let digest = layout::digest_of_link(&link.key, &folder);
        async move {
            let Some(digest) = digest else { return Ok(None) };
            Ok(fault_of_link(repository, &link.key, &digest).await?.map(|fault| problem(digest, fault)))
        }
    });
    lookups.try_buffered(CONCURRENCY).try_filter_map(|problem| async move { Ok(problem) })
}

async fn fault_of_link(repository: &Repository, key: &Key, digest: &Digest) -> Result<Option<Link>> {
    let Some(target) = target(repository, key).await? else { return Ok(None) };
    // Distribution keeps content by SHA-256 only: a link of another algorithm leads to that digest.
    let Some(target) = target.filter(|target| target == digest || digest.algorithm() != Algorithm::Sha256)
    else {
        return Ok(Some(Link::Damaged));
    };
    if repository.state.head(&layout::blob(&target)).await?.is_some() {
        return Ok(None);
    }
    Ok(repository.state.head(key).await?.map(|_| Link::Dangling))
}

async fn problem_of_tag(repository: &Repository, tag: Tag) -> Result<Option<Problem>> {
    let key = layout::tag_current(&repository.name, &tag);
    let digest = match target(repository, &key).await? {
        None => return Ok(None),
        Some(None) => return Ok(Some(Problem::DamagedTag { tag })),
        Some(Some(digest)) => digest,
    };
    match repository.manifests().get(&Reference::Digest(digest)).await {
        Ok(_) => return Ok(None),
        Err(Error::ManifestUnknown(_)) => {}
        Err(error) => return Err(error),
    }
    let still_points_there = target(repository, &key).await? == Some(Some(digest));
    Ok(still_points_there.then_some(Problem::TagWithoutManifest { tag, digest }))
}

/// What the link says, `Some(None)` when that is no digest; `None` when there is no link.
async fn target(repository: &Repository, key: &Key) -> Result<Option<Option<Digest>>> {
    let content = repository.state.read(key).await?;
    Ok(content.map(|(_, content)| str::from_utf8(&content).ok().and_then(|text| text.trim().parse().ok())))
}
