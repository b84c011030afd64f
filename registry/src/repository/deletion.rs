//! The deletion of a whole repository.
//!
//! Its names go first and what they lead to goes later, so that a reader finds an image whole or not at all. The
//! content stays for the garbage collection, since other repositories may have it as well. For its time in the trash,
//! the repository can be brought back.

use std::time::Duration;

use futures::TryStreamExt as _;

use super::detached::detached;
use super::{Error, Repository, Result, layout, uploads};

impl Repository {
    /// Deletes everything that the repository has: tags, manifests, its part in blobs, its index of referrers and
    /// its uploads. Repositories whose names begin with its name stay.
    ///
    /// A manifest that is pushed meanwhile is acknowledged wholly before the deletion, and goes with it, or is judged
    /// wholly after it. That holds within this process: another one should not push to the repository meanwhile.
    pub async fn delete(&self) -> Result<()> {
        self.check_deletable()?;
        let repository = self.clone();
        // A client that leaves does not leave half a repository behind.
        detached(async move { repository.delete_all().await }).await
    }

    async fn delete_all(&self) -> Result<()> {
        let state = &self.state;
        let _nobody_publishes = state.liveness.close(&self.name).await;
        let own = self.own_folders().await?;
        if own.is_empty() {
            return Err(Error::NameUnknown(self.name.clone()));
        }
        self.trash().keep_repository().await?;
        state.delete_below(&layout::tags(&self.name)).await?;
        state.delete_below(&layout::manifests(&self.name)).await?;
        state.remembered.forget_all(&self.name);
        for id in uploads::abandoned(state, &self.name, Duration::ZERO).await? {
            // One that is being written to goes on, and its blob will be the first of a new repository.
            uploads::remove_abandoned(state, &self.name, &id).await?;
        }
        for folder in own.iter().filter(|folder| **folder != layout::UPLOADS) {
            state.delete_below(&layout::repository(&self.name).join(folder)).await?;
        }
        state.delete_below(&layout::media_types(&self.name)).await?;
        state.delete_below(&layout::pulls(&self.name)).await?;
        state.delete_below(&layout::pulled_manifests(&self.name)).await?;
        tracing::info!(repository = %self.name, "deleted a repository");
        Ok(())
    }

    /// The folders in which the repository has anything. Those of nested repositories are not among them, nor is ours,
    /// which may hold nothing but the trash.
    async fn own_folders(&self) -> Result<Vec<String>> {
        let folder = layout::repository(&self.name);
        let children: Vec<String> = self.state.store.children(&folder, None).try_collect().await?;
        let mut own = Vec::new();
        for child in children.into_iter().filter(|child| child.starts_with('_') && child != layout::OWN) {
            if self.state.store.list(&folder.join(&child), None).try_next().await?.is_some() {
                own.push(child);
            }
        }
        Ok(own)
    }
}
