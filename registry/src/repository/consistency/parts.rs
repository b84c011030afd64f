//! Manifests whose parts are missing.

use std::collections::HashSet;

use berth_oci::{Digest, Manifest};
use futures::{Stream, TryStreamExt as _, stream};

use super::{CONCURRENCY, Problem};
use crate::repository::digest_set::DigestSet;
use crate::repository::{Error, Repository, Result, layout};

/// What a manifest needs.
struct Need {
    manifest: Digest,
    part: Digest,
    /// A manifest that an index lists may be left out on purpose, and so may a layer where sparse images are taken in, and
    /// anything in a mirror;
    /// what is linked may not be missing.
    may_be_left_out: bool,
}

/// What the manifests of the repository need and it does not have, or has `damaged`.
pub(super) fn missing<'a>(
    repository: &'a Repository,
    damaged: &'a DigestSet,
) -> impl Stream<Item = Result<Problem>> + 'a {
    let folder = layout::revisions(&repository.name);
    let links = repository.state.store.list(&folder, None).map_err(Error::from);
    let needs = links.map_ok(move |link| {
        let manifest = layout::digest_of_link(&link.key, &folder);
        async move {
            let Some(manifest) = manifest else { return Ok(Vec::new()) };
            needs_of(repository, manifest).await
        }
    });
    let needs = needs.try_buffered(CONCURRENCY).map_ok(|needs| stream::iter(needs.into_iter().map(Ok)));
    let problems = needs.try_flatten().map_ok(move |need| problem_of(repository, damaged, need));
    problems.try_buffered(CONCURRENCY).try_filter_map(|problem| async move { Ok(problem) })
}

async fn needs_of(repository: &Repository, manifest: Digest) -> Result<Vec<Need>> {
    let Some((_, bytes)) = repository.state.read(&layout::blob(&manifest)).await? else {
        return Ok(Vec::new());
    };
    let Ok(document) = Manifest::parse(&bytes, None) else { return Ok(Vec::new()) };
    let listed = document.manifests().iter().map(|child| child.digest);
    let sparse = repository.rules.required_content.may_lack_layers;
    let layers = document.layers().filter(|_| sparse).map(|layer| layer.digest);
    let optional: HashSet<_> = listed.chain(layers).collect();
    let elsewhere = document.layers().filter(|layer| layer.may_be_elsewhere());
    let elsewhere: HashSet<_> = elsewhere.map(|layer| layer.digest).collect();
    let is_mirrored = repository.is_mirrored();
    let parts = document.references().filter(|part| !elsewhere.contains(part));
    Ok(parts
        .map(|part| Need { manifest, part, may_be_left_out: is_mirrored || optional.contains(&part) })
        .collect())
}

async fn problem_of(repository: &Repository, damaged: &DigestSet, need: Need) -> Result<Option<Problem>> {
    let state = &repository.state;
    let is_missing = match repository.blobs().target(&need.part).await? {
        None => !need.may_be_left_out,
        Some(target) => damaged.contains(&target) || state.head(&layout::blob(&target)).await?.is_none(),
    };
    // The manifest may have been deleted meanwhile, and what it needed after it.
    let is_wrong =
        is_missing && state.head(&layout::revision(&repository.name, &need.manifest)).await?.is_some();
    Ok(is_wrong.then_some(Problem::MissingPart { manifest: need.manifest, part: need.part }))
}
