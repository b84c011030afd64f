//! The repositories that exist, in the lexical order of their names.
//!
//! Names nest, as folders do, but their order is not that of a walk over folders: `a-b` comes between `a` and
//! `a/b`. A walk begins where the last page ended, and looks at little more than the folders that it tells, however many
//! there are.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::iter::once;
use std::sync::Arc;

use berth_oci::RepositoryName;
use berth_storage::{Key, Names, Wanted};
use futures::future::try_join_all;
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};

use super::state::State;
use super::{Result, layout};

/// How many folders are read at once.
const CONCURRENCY: usize = 16;

/// How many names of a folder are asked for at once: as many as S3 tells.
const NAMES: usize = 1000;

/// How many names of a repository's own there may be in a folder, amply.
const OWN_NAMES: usize = 16;

/// A folder that has something of a repository in it.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) name: RepositoryName,
    /// Whether it counts as existing: it has manifests, and not only uploads or blobs.
    pub(super) has_manifests: bool,
    /// Whether there may be uploads in progress.
    pub(super) has_uploads: bool,
}

/// All repositories whose names come after `last`.
pub(super) fn repositories(
    state: &Arc<State>,
    last: Option<String>,
) -> impl Stream<Item = Result<Found>> + use<> {
    let mut walk = Walk { state: Arc::clone(state), last: last.unwrap_or_default(), ahead: BTreeMap::new() };
    walk.enter("", Names::default());
    stream::try_unfold(walk, |mut walk| async move { Ok(walk.next().await?.map(|found| (found, walk))) })
}

struct Walk {
    state: Arc<State>,
    last: String,
    /// What is still to be visited, in order: a folder by its path, and what is nested in it after that.
    ahead: BTreeMap<String, Visit>,
}

enum Visit {
    /// A folder of which nothing is known.
    Unread,
    /// A folder that was read.
    Read(Folder),
    /// The folders that come then below the same one.
    More(Siblings),
}

/// Folders below a common path, which is nothing or ends in a slash.
struct Siblings {
    prefix: String,
    /// The next ones.
    names: Names,
    /// After which name there may be others.
    others_after: Option<String>,
    are_over: bool,
}

/// What was read of a folder.
struct Folder {
    /// Whether there is something of a repository in it.
    exists: bool,
    has_manifests: bool,
    has_uploads: bool,
    /// Its first names.
    names: Names,
}

impl Walk {
    async fn next(&mut self) -> Result<Option<Found>> {
        while let Some((path, visit)) = self.ahead.pop_first() {
            match visit {
                Visit::Unread => self.read(&path).await?,
                Visit::More(siblings) => self.go_on(siblings).await?,
                Visit::Read(folder) => {
                    let found = folder.found(&path).filter(|_| path > self.last);
                    if folder.names.iter().any(|name| !name.starts_with('_')) && self.may_lead_on(&path) {
                        self.enter(&format!("{path}/"), folder.names);
                    }
                    if found.is_some() {
                        return Ok(found);
                    }
                }
            }
        }
        Ok(None)
    }

    /// Plans what is nested below `prefix`, where the names begin with these, from where the last page ended.
    ///
    /// If it ended at `a-b` or below that, then what comes next may be nested in `a`, whose name is shorter, or in `a-b`, and
    /// is else in a folder of a later name.
    fn enter(&mut self, prefix: &str, names: Names) {
        let Some((name, is_deeper)) = self.last.strip_prefix(prefix).and_then(first_name) else {
            let are_over = (1..NAMES).contains(&names.len());
            return self.plan(Siblings { prefix: prefix.to_owned(), names, others_after: None, are_over });
        };
        let shorter = name.match_indices(|c| c < '/').map(|(end, _)| &name[..end]);
        let begun: Vec<_> = shorter.chain(once(name)).map(|name| format!("{prefix}{name}")).collect();
        // Below `a/b`, the next page is not in `a-b`, which came before.
        let others_after = Some(format!("{name}{}", if is_deeper { "/" } else { "" }));
        let (names, prefix) = (Names::default(), prefix.to_owned());
        self.ahead.extend(begun.into_iter().map(|path| (path, Visit::Unread)));
        self.plan(Siblings { prefix, names, others_after, are_over: false });
    }

    /// Plans to go on with these, before any of them and after all that comes before them.
    fn plan(&mut self, siblings: Siblings) {
        let last = siblings.others_after.as_deref().unwrap_or_default().trim_end_matches('/');
        let position = format!("{}{last}\0", siblings.prefix);
        self.ahead.insert(position, Visit::More(siblings));
    }

    /// Plans to visit the next of these folders.
    async fn go_on(&mut self, mut siblings: Siblings) -> Result<()> {
        if siblings.names.is_empty() && !siblings.are_over {
            let folder = folder(&siblings.prefix);
            siblings.names = names(&self.state, &folder, siblings.others_after.as_deref(), NAMES).await?;
            siblings.are_over = siblings.names.len() < NAMES;
        }
        let next = siblings.names.slice(0..CONCURRENCY);
        let Some(last) = next.last().map(str::to_owned) else { return Ok(()) };
        let others = next.iter().filter(|name| !name.starts_with('_'));
        let ahead = others.map(|name| ([&siblings.prefix, name].concat(), name));
        let ahead: Vec<_> = ahead.filter(|(path, _)| self.may_lead_on(path)).collect();
        let names: Names = ahead.iter().map(|(_, name)| name).collect();
        let read = Folder::read_each(&self.state, &siblings.prefix, &names).await?;
        let paths = ahead.into_iter().map(|(path, _)| path);
        self.ahead.extend(paths.zip(read.into_iter().map(Visit::Read)));
        self.plan(Siblings {
            names: siblings.names.slice(CONCURRENCY..usize::MAX),
            others_after: Some(last),
            ..siblings
        });
        Ok(())
    }

    /// Whether the folder, or what is nested in it, comes after where the last page ended.
    fn may_lead_on(&self, folder: &str) -> bool {
        let (start, rest) = self.last.as_bytes().split_at(folder.len().min(self.last.len()));
        match folder.as_bytes().cmp(start) {
            Ordering::Less => false,
            // What is nested begins with a slash then.
            Ordering::Equal => rest.first().is_none_or(|next| *next <= b'/'),
            Ordering::Greater => true,
        }
    }

    /// Reads a folder that is visited next.
    async fn read(&mut self, path: &str) -> Result<()> {
        let (prefix, name) = path.split_at(path.rfind('/').map_or(0, |slash| slash + 1));
        let read = Folder::read_each(&self.state, prefix, &once(name).collect()).await?;
        self.ahead.extend(read.into_iter().map(|folder| (path.to_owned(), Visit::Read(folder))));
        Ok(())
    }
}

impl Folder {
    /// The folders of these names below `prefix`.
    async fn read_each(state: &State, prefix: &str, folders: &Names) -> Result<Vec<Self>> {
        let above = folder(prefix);
        let read = folders.iter().zip(names_of_each(state, &above, folders).await?);
        try_join_all(read.map(|(name, first)| Self::of(state, &above, name, first))).await
    }

    /// The folder that begins with these names. Where there are more, its own are asked for.
    async fn of(state: &State, above: &Key, name: &str, first: Names) -> Result<Self> {
        let rest = if first.len() < NAMES {
            first.after(Some("_"))
        } else {
            names(state, &above.join(name), Some("_"), OWN_NAMES).await?
        };
        let own = || rest.iter().take_while(|name| name.starts_with('_'));
        let has = |own_name| own().any(|name| name == own_name);
        let (has_manifests, has_uploads) = (has(layout::MANIFESTS), has(layout::UPLOADS));
        Ok(Self { exists: own().next().is_some(), has_manifests, has_uploads, names: first })
    }

    /// A folder that no client could have named is nothing of ours.
    fn found(&self, path: &str) -> Option<Found> {
        let name = path.parse().ok().filter(|_| self.exists)?;
        Some(Found { name, has_manifests: self.has_manifests, has_uploads: self.has_uploads })
    }
}

/// The first name in the rest of where a page ended, and whether that was deeper; `None` where there is none.
///
/// A client may have written anything there, and the storage is asked for nothing that cannot be a name.
fn first_name(rest: &str) -> Option<(&str, bool)> {
    let is_of_names = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
    let end = rest.find(|c| !is_of_names(c)).unwrap_or(rest.len());
    let (name, rest) = rest.split_at(end);
    name.parse::<RepositoryName>().ok().map(|_| (name, rest.starts_with('/')))
}

/// The folder of this path, which may end in a slash.
fn folder(path: &str) -> Key {
    match path.trim_end_matches('/') {
        "" => layout::repositories(),
        path => layout::repositories().with_path(path),
    }
}

/// The first names of each of these folders below one.
async fn names_of_each(state: &State, above: &Key, folders: &Names) -> Result<Vec<Names>> {
    if let Some(names) = state.store.names_of_each(above, folders, NAMES).await? {
        return Ok(names);
    }
    let keys = folders.iter().map(|name| above.join(name));
    try_join_all(keys.map(|key| async move { names(state, &key, None, NAMES).await })).await
}

/// So many names in the folder after `last`, or all that there are.
async fn names(state: &State, folder: &Key, after: Option<&str>, at_most: usize) -> Result<Names> {
    let wanted = Wanted { after, at_most: Some(at_most), leading_to: None };
    if let Some(names) = state.store.names(folder, wanted).await? {
        return Ok(names);
    }
    let names: Vec<String> = state.store.children(folder, after).take(at_most).try_collect().await?;
    Ok(names.into_iter().collect())
}
