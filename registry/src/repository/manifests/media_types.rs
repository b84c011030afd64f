//! Media types that manifests do not say themselves.
//!
//! Distribution's layout has no place for them: it derives the type of a manifest from its bytes. A manifest whose type
//! nobody here knows, and whose bytes do not name it, has its type remembered beside it. That is an addition of ours.
//! Where it is missing, because Distribution took the manifest in or the note was lost, the manifest is served as
//! Distribution would serve it: as an image index when it has a list of manifests, else as an image manifest.

use berth_oci::{Digest, Manifest, MediaType};
use berth_storage::PutCondition;
use bytes::Bytes;

use super::Manifests;
use crate::repository::{Result, layout};

impl Manifests<'_> {
    /// The type under which the bytes are served.
    pub(super) async fn media_type(&self, digest: &Digest, bytes: &[u8]) -> Result<MediaType> {
        if let Some(named) = Manifest::named_media_type(bytes) {
            return Ok(named);
        }
        let note = self.0.state.read(&layout::media_type(&self.0.name, digest)).await?;
        let remembered = note.and_then(|(_, text)| str::from_utf8(&text).ok()?.parse().ok());
        let inferred = || Manifest::media_type_of(bytes).unwrap_or_else(MediaType::default_of_manifests);
        Ok(remembered.unwrap_or_else(inferred))
    }

    /// Remembers the type of a manifest if its bytes do not tell it, and else forgets what was remembered.
    pub(super) async fn note_media_type(
        &self,
        digest: &Digest,
        media_type: &MediaType,
        bytes: &[u8],
    ) -> Result<()> {
        if Manifest::named_media_type(bytes).is_some() {
            return Ok(());
        }
        if Manifest::media_type_of(bytes).as_ref() == Some(media_type) {
            return self.forget_media_type(digest).await;
        }
        let note = Bytes::from(media_type.to_string());
        let key = layout::media_type(&self.0.name, digest);
        self.0.state.store.put(&key, note, PutCondition::Always).await?;
        self.0.state.remembered.forget(&self.0.name, digest);
        Ok(())
    }

    /// Forgets the type of a manifest that is no longer in the repository.
    pub(in crate::repository) async fn forget_media_type(&self, digest: &Digest) -> Result<()> {
        let note = layout::media_type(&self.0.name, digest);
        // Hardly any manifest has one, and to see that costs less than to delete it.
        if self.0.state.head(&note).await?.is_some() {
            self.0.state.store.delete(&note).await?;
        }
        self.0.state.remembered.forget(&self.0.name, digest);
        Ok(())
    }
}
