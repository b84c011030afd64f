//! That a repository still has a manifest under a reference, known without waiting.
//!
//! Nothing else is needed to tell a pull again what the last one was told. The storage says so by a witness of the link that
//! leads to the manifest: where the tag is, or the link of the repository to the digest, its manifest is.

use std::sync::Arc;

use berth_oci::{Digest, Manifest, Reference};
use berth_storage::Witness;

use super::{Manifests, StoredManifest};
use crate::repository::{
    Result, layout,
    state::{State, parse_link},
};

/// Knows whether a manifest is still what a reference leads to.
#[derive(Debug)]
pub struct Standing {
    state: Arc<State>,
    digest: Digest,
    witness: Box<dyn Witness>,
}

impl Standing {
    /// Whether it is, for a client that gets its bytes.
    pub fn holds(&self) -> bool {
        self.witness.holds()
    }

    /// Whether it is, for a client that will rely on its existence.
    pub fn can_be_relied_on(&self) -> bool {
        self.state.quarantine.is_known_to_lack(&self.digest) && self.holds()
    }
}

impl Manifests<'_> {
    /// The standing of a manifest that was found under the reference just now. `None` where nobody can tell it, and for a
    /// manifest whose bytes do not say of which type it is, which may be told otherwise at any time.
    pub async fn standing(
        &self,
        reference: &Reference,
        manifest: &StoredManifest,
    ) -> Result<Option<Standing>> {
        let (state, name) = (&self.0.state, &self.0.name);
        if !state.store.has_witnesses() || Manifest::named_media_type(&manifest.bytes).is_none() {
            return Ok(None);
        }
        let link = match reference {
            Reference::Tag(tag) => layout::tag_current(name, tag),
            Reference::Digest(digest) => layout::revision(name, digest),
        };
        let Some((meta, content)) = state.read(&link).await? else { return Ok(None) };
        if parse_link(&link, &content) != Some(manifest.digest) {
            return Ok(None);
        }
        let standing = |witness| Standing { state: Arc::clone(state), digest: manifest.digest, witness };
        Ok(state.store.witness(&meta).map(standing))
    }
}
