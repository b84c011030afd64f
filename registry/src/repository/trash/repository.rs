//! Whole repositories in the trash: every tag and manifest, and links to the blobs, which go with a repository.

use std::pin::pin;

use berth_oci::{Digest, Manifest};
use berth_storage::PutCondition;
use futures::TryStreamExt as _;

use super::Trash;
use super::note::NoteName;
use crate::repository::{Result, layout};

impl Trash<'_> {
    /// Notes that everything in the repository is about to be deleted.
    pub(in crate::repository) async fn keep_repository(&self) -> Result<()> {
        if self.0.rules.trash_window.is_zero() {
            return Ok(());
        }
        let names = self.0.tags();
        let mut tags = pin!(names.after(None));
        while let Some(tag) = tags.try_next().await? {
            if let Some(digest) = names.resolve(&tag).await? {
                self.keep(&digest, Some(&tag)).await?;
            }
        }
        let folder = layout::revisions(&self.0.name);
        let mut revisions = self.0.state.store.list(&folder, None);
        while let Some(revision) = revisions.try_next().await? {
            if let Some(digest) = layout::digest_of_link(&revision.key, &folder) {
                self.keep(&digest, None).await?;
            }
        }
        self.keep_links().await
    }

    /// Keeps the links to blobs, where nobody but a restoration finds them.
    async fn keep_links(&self) -> Result<()> {
        let state = &self.0.state;
        let folder = layout::layers(&self.0.name);
        let mut links = state.store.list(&folder, None);
        while let Some(link) = links.try_next().await? {
            let Some(digest) = layout::digest_of_link(&link.key, &folder) else { continue };
            let Some(target) = state.read_link(&link.key).await? else { continue };
            let name = NoteName::new(state.clock.now() + self.0.rules.trash_window);
            let key = layout::trashed_layer(&self.0.name, &digest).join(name.to_string());
            state.store.put(&key, target.to_string().into(), PutCondition::Always).await?;
        }
        Ok(())
    }

    /// Puts back the links to what the manifest needs, where the repository had them.
    pub(super) async fn relink(&self, manifest: &[u8]) -> Result<()> {
        let Ok(manifest) = Manifest::parse(manifest, None) else { return Ok(()) };
        for digest in manifest.references() {
            if self.0.blobs().target(&digest).await?.is_none()
                && let Some(target) = self.kept_link(&digest).await?
            {
                self.0.state.write_link(&layout::layer(&self.0.name, &digest), &target).await?;
            }
        }
        Ok(())
    }

    async fn kept_link(&self, digest: &Digest) -> Result<Option<Digest>> {
        let folder = layout::trashed_layer(&self.0.name, digest);
        let Some(link) = self.0.state.store.list(&folder, None).try_next().await? else { return Ok(None) };
        self.0.state.read_link(&link.key).await
    }
}
