//! Walks over the folders of the store in the order of the keys.

use std::fs::{self, DirEntry};
use std::io;
use std::iter;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};

use super::nearest::Nearest;
use super::temporary::{ABANDONED_AFTER, is_temporary};
use super::write::is_absent;
use super::{on_blocking_pool, read};
use crate::{Key, Names, ObjectMeta, Result};

/// The names in the folder, in byte order.
pub(super) fn children(
    folder: PathBuf,
    prefix: Key,
    start_after: Option<String>,
) -> BoxStream<'static, Result<String>> {
    let folder: Arc<Path> = folder.into();
    let rest = Rest { after: start_after, remembered: FIRST_REMEMBERED };
    let pieces = stream::try_unfold(Some(rest), move |rest| {
        let (folder, prefix) = (Arc::clone(&folder), prefix.clone());
        async move {
            let Some(rest) = rest else { return Ok(None) };
            let (mut names, rest) = on_blocking_pool(&prefix, move || rest.names(&folder)).await?;
            let names = iter::from_fn(move || names.take_first().map(str::to_owned));
            Ok(Some((stream::iter(names).map(Ok), rest)))
        }
    });
    pieces.try_flatten().boxed()
}

/// The objects below `prefix`, in the byte order of their keys.
pub(super) fn list(
    root: Arc<Path>,
    prefix: Key,
    start_after: Option<Key>,
) -> BoxStream<'static, Result<ObjectMeta>> {
    walk(Walk { root, start_after, named: None, ahead: vec![Folder::at(prefix)] })
}

/// The objects below `prefix` that are named so, in the byte order of their keys.
pub(super) fn list_named(
    root: Arc<Path>,
    prefix: Key,
    named: Named,
) -> BoxStream<'static, Result<ObjectMeta>> {
    walk(Walk { root, start_after: None, named: Some(named), ahead: vec![Folder::at(prefix)] })
}

fn walk(walk: Walk) -> BoxStream<'static, Result<ObjectMeta>> {
    let prefix = walk.ahead.first().map(|folder| folder.key.clone()).unwrap_or_default();
    let batches = stream::try_unfold((walk, FIRST_BATCH), move |(mut walk, size)| {
        let prefix = prefix.clone();
        async move {
            if walk.has_ended() {
                return Ok(None);
            }
            let collect = move || walk.collect(size).map(|batch| (batch, walk));
            let (batch, walk) = on_blocking_pool(&prefix, collect).await?;
            Ok(Some((stream::iter(batch).map(Ok), (walk, LARGEST_BATCH.min(size * 2)))))
        }
    });
    batches.try_flatten().boxed()
}

/// How many objects are looked up before the first of them is told, and at most. Most folders hold one object, and the way
/// to the blocking pool takes longer than to read one; who needs no more than the first few should not wait for many.
const FIRST_BATCH: usize = 2;
const LARGEST_BATCH: usize = 256;

/// How many entries of a folder are remembered at first. One that has more is read again for the next ones, and then a share of
/// them is remembered each time: a folder is read a few times, however large it is, and seldom held as a whole.
const FIRST_REMEMBERED: usize = 1 << 15;
const SHARE_REMEMBERED: usize = 8;

struct Walk {
    root: Arc<Path>,
    start_after: Option<Key>,
    /// Nothing else is wanted.
    named: Option<Named>,
    /// The folders that are being walked through, each in the one before it.
    ahead: Vec<Folder>,
}

/// Where objects are below a folder: so many components down, and the last of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Named {
    pub(super) depth: usize,
    pub(super) name: &'static str,
}

/// A folder that is being walked through.
struct Folder {
    key: Key,
    /// Its next entries.
    entries: Names,
    /// What is to be read when these are done with; `None` when nothing is left.
    rest: Option<Rest>,
}

/// What is left of a folder.
#[derive(Debug)]
struct Rest {
    /// The last entry that was read.
    after: Option<String>,
    /// How many entries are remembered of it.
    remembered: usize,
}

impl Rest {
    /// The next names in the folder, and what is left then.
    fn names(self, folder: &Path) -> io::Result<(Names, Option<Self>)> {
        let is_ahead = |name: &str| self.after.as_deref().is_none_or(|last| name > last);
        let (names, left) = nearest(folder, self.remembered, |entry| Ok(plain_name(entry)), is_ahead)?;
        let rest = self.behind(&names, left);
        Ok((names, rest))
    }

    /// What is left behind these entries, if there are any more.
    fn behind(&self, entries: &Names, left: usize) -> Option<Self> {
        let remembered = self.remembered.max((entries.len() + left) / SHARE_REMEMBERED);
        (left > 0).then(|| Self { after: entries.last().map(str::to_owned), remembered })
    }
}

impl Walk {
    /// Whether nothing is left.
    fn has_ended(&self) -> bool {
        self.ahead.is_empty()
    }

    /// The next objects, `size` of them if there are as many.
    fn collect(&mut self, size: usize) -> io::Result<Vec<ObjectMeta>> {
        let mut batch = Vec::with_capacity(size);
        while batch.len() < size
            && let Some(folder) = self.ahead.last_mut()
        {
            let Some(name) = folder.next(&self.root, self.start_after.as_ref())? else {
                self.ahead.pop();
                continue;
            };
            let key = folder.key.join(name.trim_end_matches('/'));
            if name.ends_with('/') {
                batch.extend(self.enter(key)?);
            } else {
                let found = object(&self.root, key, &name)?;
                batch.extend(found.filter(|_| self.is_wanted(&name)));
            }
        }
        Ok(batch)
    }

    /// Goes on with what is in the folder. Where one object of it is all that is wanted, that is looked for by its name, which
    /// costs a fraction of reading the folder; one that lacks it is read for what an interrupted write may have left.
    fn enter(&mut self, folder: Key) -> io::Result<Option<ObjectMeta>> {
        let depth = self.ahead.len() + 1;
        let found = match self.named {
            Some(named) if named.depth == depth => object(&self.root, folder.join(named.name), named.name)?,
            Some(named) if named.depth < depth => return Ok(None),
            _ => None,
        };
        if found.is_none() {
            self.ahead.push(Folder::at(folder));
        }
        Ok(found)
    }

    /// Whether it is an object in the folder that is being read that was asked for.
    fn is_wanted(&self, name: &str) -> bool {
        self.named.is_none_or(|named| self.ahead.len() == named.depth && name == named.name)
    }
}

impl Folder {
    fn at(key: Key) -> Self {
        let rest = Rest { after: None, remembered: FIRST_REMEMBERED };
        Self { key, entries: Names::default(), rest: Some(rest) }
    }

    /// The name of the next entry. That of a folder ends with a slash, and stands among the keys where what is in it does.
    fn next(&mut self, root: &Path, start_after: Option<&Key>) -> io::Result<Option<String>> {
        if self.entries.is_empty()
            && let Some(rest) = self.rest.take()
        {
            let is_ahead = |name: &str| match &rest.after {
                None => start_after.is_none_or(|last| comes_after(&self.key, name, last)),
                Some(last) => name > last.as_str(),
            };
            let path = root.join(self.key.as_str());
            let (entries, left) = nearest(&path, rest.remembered, name_among_keys, is_ahead)?;
            self.rest = rest.behind(&entries, left);
            self.entries = entries;
        }
        Ok(self.entries.take_first().map(str::to_owned))
    }
}

/// Whether the entry of the folder, or what is in it, comes after that key.
fn comes_after(folder: &Key, name: &str, last: &Key) -> bool {
    let mut position = folder.join(name.trim_end_matches('/')).to_string();
    if name.ends_with('/') {
        position.push('/');
    }
    let surrounds_last = name.ends_with('/') && last.as_str().starts_with(&position);
    surrounds_last || position.as_str() > last.as_str()
}

/// The first entries of the folder, and how many come after them.
fn nearest(
    path: &Path,
    most: usize,
    name: impl Fn(&DirEntry) -> io::Result<Option<String>>,
    is_ahead: impl Fn(&str) -> bool,
) -> io::Result<(Names, usize)> {
    let entries = match fs::read_dir(path) {
        Err(error) if is_absent(&error) => return Ok((Names::default(), 0)),
        entries => entries?,
    };
    let mut nearest = Nearest::of(most);
    for entry in entries {
        if let Some(name) = name(&entry?)?.filter(|name| is_ahead(name)) {
            nearest.add(&name);
        }
    }
    Ok(nearest.into_names())
}

/// The name of an entry, which cannot belong to an object if it is not text.
fn plain_name(entry: &DirEntry) -> Option<String> {
    entry.file_name().into_string().ok().filter(|name| !is_temporary(name))
}

/// The same, with a slash behind that of a folder, and with what interrupted writes have left.
fn name_among_keys(entry: &DirEntry) -> io::Result<Option<String>> {
    let Ok(mut name) = entry.file_name().into_string() else { return Ok(None) };
    if entry.file_type()?.is_dir() {
        // To grow as it likes would take twice the room.
        name.reserve_exact(1);
        name.push('/');
    }
    Ok(Some(name))
}

/// The object at that key. `None` when there is none, or it is gone by now.
fn object(root: &Path, key: Key, name: &str) -> io::Result<Option<ObjectMeta>> {
    let path = root.join(key.as_str());
    let metadata = match fs::metadata(&path) {
        Err(error) if is_absent(&error) => return Ok(None),
        metadata => metadata?,
    };
    if is_temporary(name) {
        if metadata.modified()?.elapsed().is_ok_and(|age| age > ABANDONED_AFTER) {
            // Only a courtesy to the disk: the next walk comes by again.
            let _ = fs::remove_file(&path);
        }
        return Ok(None);
    }
    Ok(read::meta(key, &metadata).ok())
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn a_folder_with_more_than_is_remembered_is_read_again() {
        let root = tempfile::tempdir().unwrap();
        for name in ["b", "a", "d", "c.x"] {
            fs::write(root.path().join(name), "").unwrap();
        }
        fs::create_dir(root.path().join("c")).unwrap();
        let (mut found, mut last) = (Vec::new(), String::new());
        loop {
            let (names, left) =
                nearest(root.path(), 2, name_among_keys, |name| name > last.as_str()).unwrap();
            assert!(names.len() <= 2);
            found.extend(names.iter().map(str::to_owned));
            assert_eq!(found.len() + left, 5);
            last = found.last().unwrap().clone();
            if left == 0 {
                break;
            }
        }
        assert_eq!(found, ["a", "b", "c.x", "c/", "d"]);
    }

    #[test]
    fn a_large_folder_is_read_a_few_times() {
        let (root, count) = (tempfile::tempdir().unwrap(), 100);
        for number in 0..count {
            fs::write(root.path().join(format!("{number:03}")), "").unwrap();
        }
        let rest = Rest { after: None, remembered: 1 };
        let mut folder = Folder { key: Key::default(), entries: Names::default(), rest: Some(rest) };
        let (mut found, mut reads) = (0, 0);
        while let Some(name) = {
            reads += u32::from(folder.entries.is_empty() && folder.rest.is_some());
            folder.next(root.path(), None).unwrap()
        } {
            assert_eq!(name, format!("{found:03}"));
            found += 1;
        }
        assert_eq!(found, count);
        assert!(reads <= 10, "{reads} reads");
    }

    #[test]
    fn names_are_told_in_pieces_and_in_their_own_order() {
        let root = tempfile::tempdir().unwrap();
        for name in ["a", "a-b", "a.c", "b", "c"] {
            fs::create_dir(root.path().join(name)).unwrap();
        }
        let (mut rest, mut found) = (Some(Rest { after: Some("0".into()), remembered: 2 }), Vec::new());
        while let Some(ahead) = rest {
            let (names, left) = ahead.names(root.path()).unwrap();
            assert!(names.len() <= 2);
            found.extend(names.iter().map(str::to_owned));
            rest = left;
        }
        assert_eq!(found, ["a", "a-b", "a.c", "b", "c"]);
    }

    #[tokio::test]
    async fn named_objects_are_found_without_reading_their_folders() {
        let root = tempfile::tempdir().unwrap();
        let key = |key: &str| -> Key { key.parse().unwrap() };
        for file in
            ["links/a/1/link", "links/a/1/other", "links/a/2/link/deeper", "links/a/3/other", "links/link"]
        {
            fs::create_dir_all(root.path().join(file).parent().unwrap()).unwrap();
            fs::write(root.path().join(file), "").unwrap();
        }
        let old = root.path().join("links/a/3/link.00000000-7ed8-4b17-9c0a-2c3f3b5b8f2d.tmp");
        File::create(&old).unwrap().set_modified(SystemTime::now() - 2 * ABANDONED_AFTER).unwrap();
        let named = |depth| {
            let found = list_named(root.path().into(), key("links"), Named { depth, name: "link" });
            async { found.map_ok(|object| object.key).try_collect::<Vec<_>>().await.unwrap() }
        };
        assert_eq!(named(3).await, [key("links/a/1/link")]);
        assert_eq!(named(1).await, [key("links/link")]);
        assert!(!old.exists(), "a folder without the object is looked at as a whole");
    }

    #[tokio::test]
    async fn what_a_crash_left_behind_is_not_listed_and_is_removed_after_a_day() {
        let root = tempfile::tempdir().unwrap();
        let young = root.path().join("link.7ddc8dbe-7ed8-4b17-9c0a-2c3f3b5b8f2d.tmp");
        let old = root.path().join("link.00000000-7ed8-4b17-9c0a-2c3f3b5b8f2d.tmp");
        fs::write(&young, "").unwrap();
        let file = File::create(&old).unwrap();
        file.set_modified(SystemTime::now() - 2 * ABANDONED_AFTER).unwrap();

        let listed: Vec<_> = list(root.path().into(), Key::default(), None).try_collect().await.unwrap();
        assert_eq!(listed, []);
        assert!(young.exists());
        assert!(!old.exists());
        let names: Vec<_> = children(root.path().into(), Key::default(), None).try_collect().await.unwrap();
        assert!(names.is_empty(), "{names:?}");
    }
}
