//! The repositories that exist, in the lexical order of their names.
//!
//! Names nest, as folders do, but their order is not that of a walk over folders: `a-b` comes between `a` and
//! `a/b`.

use std::collections::BTreeMap;
use std::sync::Arc;

use berth_oci::RepositoryName;
use berth_storage::Key;
use futures::{Stream, TryStreamExt as _, stream};

use super::state::State;
use super::{Result, layout};

/// A folder that has something of a repository in it.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) name: RepositoryName,
    /// Whether it counts as existing: it has manifests, and not only uploads or blobs.
    pub(super) has_manifests: bool,
}

/// All repositories whose names come after `last`.
pub(super) fn repositories(
    state: &Arc<State>,
    last: Option<String>,
) -> impl Stream<Item = Result<Found>> + use<> {
    let walk = Walk {
        state: Arc::clone(state),
        last: last.unwrap_or_default(),
        ahead: BTreeMap::new(),
        is_new: true,
    };
    stream::try_unfold(walk, |mut walk| async move { Ok(walk.next().await?.map(|found| (found, walk))) })
}

struct Walk {
    state: Arc<State>,
    last: String,
    /// What is still to be visited, in order: a folder by its name, what is nested in it by its name and a
    /// slash.
    ahead: BTreeMap<String, Visit>,
    is_new: bool,
}

enum Visit {
    Folder,
    Nested(Vec<String>),
}

impl Walk {
    async fn next(&mut self) -> Result<Option<Found>> {
        if std::mem::take(&mut self.is_new) {
            let top = self.children("").await?;
            self.enter("", top);
        }
        while let Some((path, visit)) = self.ahead.pop_first() {
            match visit {
                Visit::Nested(names) => self.enter(&path, names),
                Visit::Folder => {
                    let found = self.visit(path).await?;
                    if found.is_some() {
                        return Ok(found);
                    }
                }
            }
        }
        Ok(None)
    }

    /// Plans the folders of these names below `path`, which is nothing or ends in a slash.
    fn enter(&mut self, path: &str, names: Vec<String>) {
        let folders = names.into_iter().map(|name| format!("{path}{name}"));
        let ahead: Vec<_> = folders.filter(|folder| self.may_lead_on(folder)).collect();
        self.ahead.extend(ahead.into_iter().map(|folder| (folder, Visit::Folder)));
    }

    /// Whether the folder, or what is nested in it, comes after where the last page ended.
    fn may_lead_on(&self, folder: &str) -> bool {
        let nested = format!("{folder}/");
        nested > self.last || self.last.starts_with(&nested)
    }

    async fn visit(&mut self, path: String) -> Result<Option<Found>> {
        let (own, nested): (Vec<_>, Vec<_>) =
            self.children(&path).await?.into_iter().partition(|child| child.starts_with('_'));
        if !nested.is_empty() {
            self.ahead.insert(format!("{path}/"), Visit::Nested(nested));
        }
        if own.is_empty() || path <= self.last {
            return Ok(None);
        }
        let has_manifests = own.iter().any(|child| child == layout::MANIFESTS);
        // A folder that no client could have named is nothing of ours.
        Ok(path.parse().ok().map(|name| Found { name, has_manifests }))
    }

    async fn children(&self, path: &str) -> Result<Vec<String>> {
        let components = path.split('/').filter(|component| !component.is_empty());
        let folder: Key = components.fold(layout::repositories(), |key, component| key.join(component));
        Ok(self.state.store.children(&folder, None).try_collect().await?)
    }
}
