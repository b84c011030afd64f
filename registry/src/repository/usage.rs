//! How much of the storage each repository takes.
//!
//! Content is kept once, however many repositories have it. So a repository has bytes of its own, which would be
//! free without it, and bytes that it shares.

use std::collections::{HashMap, HashSet};
use std::pin::pin;

use berth_oci::{Digest, RepositoryName};
use futures::TryStreamExt as _;
use serde::Serialize;

use super::linked_content::linked_content;
use super::state::State;
use super::{Registry, Result, catalog, layout};

/// A number of blobs and their length. Manifests are blobs as well.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Amount {
    /// How many.
    pub blobs: u64,
    /// Their length in bytes.
    pub bytes: u64,
}

impl Amount {
    fn add(&mut self, bytes: u64) {
        self.blobs += 1;
        self.bytes += bytes;
    }
}

/// What one repository takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RepositoryUsage {
    /// The repository.
    pub repository: RepositoryName,
    /// What no other repository has.
    pub own: Amount,
    /// What other repositories have as well.
    pub shared: Amount,
}

/// What all repositories take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// The repositories in lexical order.
    pub repositories: Vec<RepositoryUsage>,
    /// All content that is kept.
    pub total: Amount,
    /// What no repository has: the next garbage collections delete it.
    pub unlinked: Amount,
}

impl Registry {
    /// Measures what each repository takes. It takes some hundred bytes of memory for each blob.
    pub async fn usage(&self) -> Result<Usage> {
        let state = &self.state;
        let mut survey = Survey::of_blobs(state).await?;
        let mut repositories = pin!(catalog::repositories(state, None));
        while let Some(found) = repositories.try_next().await? {
            let linked = linked_content(state, &found.name).await?;
            survey.add(found.name, &linked);
        }
        Ok(survey.finish())
    }
}

/// Who has a blob.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    Nobody,
    /// The repository at this place of the list.
    One(usize),
    Several,
}

struct Survey {
    blobs: HashMap<Digest, (u64, Owner)>,
    /// Each repository with all that it has.
    repositories: Vec<(RepositoryName, Amount)>,
}

impl Survey {
    async fn of_blobs(state: &State) -> Result<Self> {
        let mut blobs = HashMap::new();
        let mut listed = state.store.list(&layout::blobs(), None);
        while let Some(blob) = listed.try_next().await? {
            if let Some(digest) = layout::digest_of_blob(&blob.key) {
                blobs.insert(digest, (blob.size, Owner::Nobody));
            }
        }
        Ok(Self { blobs, repositories: Vec::new() })
    }

    /// Adds a repository, in which links without content count for nothing.
    fn add(&mut self, name: RepositoryName, linked: &HashSet<Digest>) {
        let (place, mut all) = (self.repositories.len(), Amount::default());
        for digest in linked {
            let Some((size, owner)) = self.blobs.get_mut(digest) else { continue };
            all.add(*size);
            *owner = if *owner == Owner::Nobody { Owner::One(place) } else { Owner::Several };
        }
        self.repositories.push((name, all));
    }

    fn finish(self) -> Usage {
        let (mut total, mut unlinked) = (Amount::default(), Amount::default());
        let mut own = vec![Amount::default(); self.repositories.len()];
        for (size, owner) in self.blobs.into_values() {
            total.add(size);
            match owner {
                Owner::Nobody => unlinked.add(size),
                Owner::One(place) => own[place].add(size),
                Owner::Several => {}
            }
        }
        let repositories = self.repositories.into_iter().zip(own).map(|((repository, all), own)| {
            let shared = Amount { blobs: all.blobs - own.blobs, bytes: all.bytes - own.bytes };
            RepositoryUsage { repository, own, shared }
        });
        Usage { repositories: repositories.collect(), total, unlinked }
    }
}
