//! Images that are fetched before anybody asks for them: as a whole, again and again, so that what a tag leads to is here.

use std::sync::{Arc, Weak};

use berth_oci::{Digest, Manifest, Reference, RepositoryName};
use tokio::time::sleep;

use super::{Mirror, Result, flight::Stage};
use crate::{
    config::Prefetch,
    repository::{self, Registry, Repository},
};

/// So deep may an index list others.
const DEEPEST: usize = 4;

/// Fetches what is wanted again and again, for as long as the mirror is in force.
pub(super) async fn keep_fetching(mirror: Weak<Mirror>, registry: Registry, prefetch: Prefetch) {
    loop {
        for (name, reference) in &prefetch.images {
            let Some(mirror) = mirror.upgrade() else { return };
            mirror.fetch_beforehand(&registry, name, reference).await;
        }
        sleep(prefetch.interval).await;
    }
}

impl Mirror {
    async fn fetch_beforehand(
        self: &Arc<Self>,
        registry: &Registry,
        name: &RepositoryName,
        reference: &Reference,
    ) {
        let Some(here) = self.names.here(name) else { return };
        let repository = registry.repository(here);
        let fetched = self.fetch_image(&repository, reference).await;
        let name = repository.name();
        if let Err(error) = fetched {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(%name, %reference, error, "an image could not be fetched beforehand");
        } else {
            // Who wants it to be here beforehand does not want it to go because nobody pulls it.
            repository.note_pull(reference);
            tracing::info!(%name, %reference, "an image is mirrored as a whole");
        }
    }

    /// Brings all that an image consists of, and what refers to it.
    pub(super) async fn fetch_image(
        self: &Arc<Self>,
        repository: &Repository,
        reference: &Reference,
    ) -> Result<()> {
        let mut ahead = vec![(reference.clone(), 0)];
        while let Some((reference, depth)) = ahead.pop() {
            self.bring_quietly(repository, &reference).await?;
            let stored = repository.manifests().get(&reference).await?;
            self.bring_referrers(repository, &stored.digest).await;
            let Ok(manifest) = Manifest::parse(&stored.bytes, Some(&stored.media_type)) else { continue };
            if depth < DEEPEST {
                ahead.extend(manifest.manifests().iter().map(|image| (image.digest.into(), depth + 1)));
            }
            let layers = manifest.layers().filter(|layer| !layer.may_be_elsewhere());
            for blob in manifest.config().into_iter().chain(layers) {
                self.fetch_blob(repository, &blob.digest).await?;
            }
        }
        Ok(())
    }

    async fn fetch_blob(self: &Arc<Self>, repository: &Repository, digest: &Digest) -> Result<()> {
        match repository.blobs().head(digest).await {
            Ok(_) => return Ok(()),
            Err(repository::Error::BlobUnknown(_)) => {}
            Err(error) => return Err(error.into()),
        }
        self.check_blobs_wanted()?;
        let flight = self.flight(repository, digest)?;
        let is_over = |stage: &Stage| matches!(stage, Stage::Stored { .. } | Stage::Failed(_));
        let mut progress = flight.follow();
        let ended =
            progress.wait_for(|progress| is_over(&progress.stage)).await.map(|ended| ended.stage.clone());
        match ended {
            Ok(Stage::Failed(error)) => Err(error),
            _ => Ok(()),
        }
    }
}
