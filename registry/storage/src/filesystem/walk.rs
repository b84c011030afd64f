//! Walks over the folders of the store in the order of the keys.

use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use rustix::fs::OFlags;

use super::listed::{open, sorted_names};
use super::temporary::{ABANDONED_AFTER, is_temporary};
use super::write::is_absent;
use super::{on_blocking_pool, read};
use crate::{Key, ObjectMeta, Result};

/// The names in the folder, in byte order.
pub(super) fn children(
    folder: PathBuf,
    prefix: Key,
    start_after: Option<String>,
) -> BoxStream<'static, Result<String>> {
    let names =
        async move { on_blocking_pool(&prefix, move || names(&folder, start_after.as_deref())).await };
    stream::once(names).map_ok(|names| stream::iter(names).map(Ok)).try_flatten().boxed()
}

fn names(folder: &Path, start_after: Option<&str>) -> io::Result<Vec<String>> {
    let Some(folder) = open(folder, OFlags::RDONLY)? else { return Ok(Vec::new()) };
    let mut names = sorted_names(&folder)?;
    names.retain(|name| start_after.is_none_or(|last| name.as_str() > last));
    Ok(names)
}

/// What is in the folder; nothing when it is gone. A name that is not text cannot belong to an object.
fn entries(folder: &Path) -> io::Result<Vec<(String, DirEntry)>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if is_absent(&error) => return Ok(Vec::new()),
        entries => entries?,
    };
    let named = entries.filter_map(|entry| match entry {
        Ok(entry) => entry.file_name().into_string().ok().map(|name| Ok((name, entry))),
        Err(error) => Some(Err(error)),
    });
    named.collect()
}

/// The objects below `prefix`, in the byte order of their keys.
pub(super) fn list(
    root: Arc<Path>,
    prefix: Key,
    start_after: Option<Key>,
) -> BoxStream<'static, Result<ObjectMeta>> {
    let walk = Walk { root, start_after, ahead: vec![Step::Folder(prefix.clone())] };
    let batches = stream::try_unfold((walk, FIRST_BATCH), move |(mut walk, size)| {
        let prefix = prefix.clone();
        async move {
            let collect = move || walk.collect(size).map(|batch| (batch, walk));
            let (batch, walk) = on_blocking_pool(&prefix, collect).await?;
            let larger = LARGEST_BATCH.min(size * 2);
            Ok((!batch.is_empty()).then(|| (stream::iter(batch).map(Ok), (walk, larger))))
        }
    });
    batches.try_flatten().boxed()
}

/// How many objects are looked up before the first of them is told, and at most. Most folders hold one object, and the way
/// to the blocking pool takes longer than to read one; who needs no more than the first few should not wait for many.
const FIRST_BATCH: usize = 2;
const LARGEST_BATCH: usize = 256;

struct Walk {
    root: Arc<Path>,
    start_after: Option<Key>,
    /// What is still to be visited, the next one last.
    ahead: Vec<Step>,
}

enum Step {
    Object(ObjectMeta),
    Folder(Key),
}

impl Walk {
    /// The next objects, `size` of them if there are as many.
    fn collect(&mut self, size: usize) -> io::Result<Vec<ObjectMeta>> {
        let mut batch = Vec::with_capacity(size);
        while batch.len() < size
            && let Some(step) = self.ahead.pop()
        {
            match step {
                Step::Object(meta) => batch.push(meta),
                Step::Folder(folder) => self.enter(&folder)?,
            }
        }
        Ok(batch)
    }

    fn enter(&mut self, folder: &Key) -> io::Result<()> {
        let mut steps = steps(&self.root.join(folder.as_str()), folder)?;
        steps.retain(|step| self.start_after.as_ref().is_none_or(|last| step.comes_after(last)));
        steps.sort_by_cached_key(|step| std::cmp::Reverse(step.position()));
        self.ahead.append(&mut steps);
        Ok(())
    }
}

impl Step {
    /// Where the step stands among the keys: what is in a folder comes after `folder/`, and so after
    /// `folder.x`.
    fn position(&self) -> String {
        match self {
            Self::Object(meta) => meta.key.to_string(),
            Self::Folder(folder) => format!("{folder}/"),
        }
    }

    fn comes_after(&self, last: &Key) -> bool {
        let position = self.position();
        let surrounds_last = matches!(self, Self::Folder(_)) && last.as_str().starts_with(&position);
        surrounds_last || position.as_str() > last.as_str()
    }
}

fn steps(path: &Path, folder: &Key) -> io::Result<Vec<Step>> {
    let steps = entries(path)?.into_iter().map(|(name, entry)| step(folder, &name, &entry));
    steps.filter_map(Result::transpose).collect()
}

/// What one entry of a folder is. `None` when it is no object, or is gone by now.
fn step(folder: &Key, name: &str, entry: &DirEntry) -> io::Result<Option<Step>> {
    let key = folder.join(name);
    if entry.file_type()?.is_dir() {
        return Ok(Some(Step::Folder(key)));
    }
    let metadata = match fs::metadata(entry.path()) {
        Err(error) if is_absent(&error) => return Ok(None),
        metadata => metadata?,
    };
    if is_temporary(name) {
        if metadata.modified()?.elapsed().is_ok_and(|age| age > ABANDONED_AFTER) {
            // Only a courtesy to the disk: the next walk comes by again.
            let _ = fs::remove_file(entry.path());
        }
        return Ok(None);
    }
    Ok(read::meta(key, &metadata).ok().map(Step::Object))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::SystemTime;

    use super::*;

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
