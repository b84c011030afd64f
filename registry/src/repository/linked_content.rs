//! The content that a repository has links to, whatever its manifests say.

use std::collections::HashSet;

use berth_oci::{Algorithm, Digest, RepositoryName};
use futures::TryStreamExt as _;

use super::state::State;
use super::{Result, layout};

/// The digests under which the content of the repository is kept, blobs and manifests alike. Some of it may be
/// missing.
pub(super) async fn linked_content(state: &State, name: &RepositoryName) -> Result<HashSet<Digest>> {
    let mut linked = HashSet::new();
    for folder in [layout::layers(name), layout::revisions(name)] {
        let mut links = state.store.list(&folder, None);
        while let Some(link) = links.try_next().await? {
            let Some(digest) = layout::digest_of_link(&link.key, &folder) else { continue };
            // Distribution keeps content by SHA-256 only; other links say under which digest it is.
            let target = match digest.algorithm() {
                Algorithm::Sha256 => None,
                Algorithm::Sha512 => state.read_link(&link.key).await?,
            };
            linked.insert(target.unwrap_or(digest));
        }
    }
    Ok(linked)
}
