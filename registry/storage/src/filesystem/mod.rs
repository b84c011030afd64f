//! Objects as files below a folder, safe against crashes.
//!
//! An object is written to a temporary file beside its place, flushed, renamed and flushed in its folder, so
//! that it is there as a whole or not at all. Work on files is done on the blocking pool, in large pieces; only
//! what the kernel has in memory is looked up and read at once, which takes less time than the way to the pool.

mod batch;
mod buffer;
mod cached;
mod familiar;
mod file_range;
mod folder;
mod identity;
mod leftovers;
mod listed;
mod looks;
mod nearest;
mod opened;
mod read;
#[cfg(test)]
mod rivals;
mod shared_flush;
mod space;
mod temporary;
mod upload;
mod version;
mod walk;
mod witness;
mod write;

use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use tokio::task;

pub use self::file_range::{FilePiece, FileRange};
pub use self::upload::HELD_BACK;

use self::cached::{Cache, Wait};
use self::familiar::Familiar;
use self::folder::Folders;
use self::listed::{Folder, Listed};
use self::upload::Completion;
use self::walk::Named;
use self::witness::FileWitness;
use self::write::Put;
use crate::names::OwnedWanted;
use crate::{
    ByteStream, Error, Key, Names, Object, ObjectMeta, ObjectStore, Permission, PutCondition, Result, Space,
    Wanted, Witness,
};

/// How many objects are deleted by one visit to the blocking pool, to which the way takes as long as a deletion.
const DELETED_AT_ONCE: usize = 16;

/// An object store in a folder, which is made with the first object.
#[derive(Debug, Clone)]
pub struct Filesystem {
    folders: Arc<Folders>,
    cache: Arc<Cache>,
    familiar: Arc<Familiar>,
    listed: Arc<Listed>,
}

impl Filesystem {
    /// The store in the folder `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        let folders = Arc::new(Folders::below(root.into()));
        Self { folders, cache: Arc::default(), familiar: Arc::default(), listed: Arc::default() }
    }

    /// Where `key` is kept. A key cannot climb out of the root.
    fn path(&self, key: &Key) -> PathBuf {
        self.folders.root().join(key.as_str())
    }

    /// Where objects are kept, and what they are to hold.
    fn files(&self, objects: Vec<(Key, Bytes)>) -> Vec<(PathBuf, Bytes)> {
        objects.into_iter().map(|(key, body)| (self.path(&key), body)).collect()
    }

    /// Does `read` at once where nothing has to be waited for, and else on the blocking pool.
    async fn ask<T, F>(&self, key: &Key, read: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(Wait) -> io::Result<T> + Send + 'static,
    {
        match self.cache.ask(|| read(Wait::Never)) {
            Some(answer) => answer.map_err(|error| Error::from_io(key, error)),
            None => on_blocking_pool(key, move || read(Wait::ForDisk)).await,
        }
    }
}

/// Runs `work` on the blocking pool. Its errors are about `key`.
async fn on_blocking_pool<T, F>(key: &Key, work: F) -> Result<T>
where
    T: Send + 'static,
    F: FnOnce() -> io::Result<T> + Send + 'static,
{
    let done = task::spawn_blocking(work).await.unwrap_or_else(|stopped| Err(stopped.into()));
    done.map_err(|error| Error::from_io(key, error))
}

#[async_trait]
impl ObjectStore for Filesystem {
    async fn head(&self, key: &Key) -> Result<ObjectMeta> {
        let path = self.path(key);
        if let Some(found) = self.familiar.head(key, &path) {
            return found.map_err(|error| Error::from_io(key, error));
        }
        let (familiar, name) = (Arc::clone(&self.familiar), key.clone());
        self.ask(key, move |wait| familiar.meet(&name, &path, wait)).await
    }

    async fn read(&self, key: &Key) -> Result<(ObjectMeta, Bytes)> {
        let path = self.path(key);
        if let Some(read) = self.familiar.read(key, &path) {
            return Ok(read);
        }
        let (familiar, name) = (Arc::clone(&self.familiar), key.clone());
        self.ask(key, move |wait| familiar.open(&name, &path, wait)).await
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> Result<Object> {
        let (path, name) = (self.path(key), key.clone());
        self.ask(key, move |wait| read::open(name.clone(), &path, range.clone(), wait)).await
    }

    async fn put(&self, key: &Key, body: Bytes, condition: PutCondition) -> Result<()> {
        let (folders, path) = (Arc::clone(&self.folders), self.path(key));
        let put = on_blocking_pool(key, move || write::put(&folders, &path, &body, &condition)).await?;
        if put == Put::Refused { Err(Error::VersionMismatch(key.clone())) } else { Ok(()) }
    }

    async fn put_all(&self, objects: Vec<(Key, Bytes)>) -> Result<()> {
        let Some((last, _)) = objects.last() else { return Ok(()) };
        let (folders, last, files) = (Arc::clone(&self.folders), last.clone(), self.files(objects));
        on_blocking_pool(&last, move || write::put_all(&folders, &files)).await
    }

    async fn note(&self, key: &Key, body: Bytes) -> Result<()> {
        let (folders, path) = (Arc::clone(&self.folders), self.path(key));
        on_blocking_pool(key, move || write::note(&folders, &path, &body)).await
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        let (folders, path) = (Arc::clone(&self.folders), self.path(key));
        on_blocking_pool(key, move || write::delete(&folders, &path)).await
    }

    async fn delete_each(&self, keys: Vec<Key>, is_permitted: Permission) -> Result<usize> {
        let Some(first) = keys.first().cloned() else { return Ok(0) };
        let (folders, objects) = (Arc::clone(&self.folders), keys.into_iter());
        let objects: Vec<_> = objects.map(|key| (key.clone(), self.path(&key))).collect();
        let deleted =
            on_blocking_pool(&first, move || Ok(write::delete_each(&folders, &objects, &*is_permitted)));
        deleted.await?
    }

    fn deletes_at_once(&self) -> usize {
        DELETED_AT_ONCE
    }

    async fn delete_all(&self, prefix: &Key) -> Result<()> {
        let (folders, path) = (Arc::clone(&self.folders), self.path(prefix));
        on_blocking_pool(prefix, move || write::delete_all(&folders, &path)).await
    }

    fn list(&self, prefix: &Key, start_after: Option<&Key>) -> BoxStream<'_, Result<ObjectMeta>> {
        walk::list(self.folders.root().into(), prefix.clone(), start_after.cloned())
    }

    fn list_named(
        &self,
        prefix: &Key,
        depth: usize,
        name: &'static str,
    ) -> BoxStream<'_, Result<ObjectMeta>> {
        walk::list_named(self.folders.root().into(), prefix.clone(), Named { depth, name })
    }

    fn children(&self, prefix: &Key, start_after: Option<&str>) -> BoxStream<'_, Result<String>> {
        walk::children(self.path(prefix), prefix.clone(), start_after.map(str::to_owned))
    }

    async fn names(&self, prefix: &Key, wanted: Wanted<'_>) -> Result<Option<Names>> {
        if !self.has_witnesses() {
            return Ok(None);
        }
        let path = self.path(prefix);
        let known = self.listed.known(prefix, &path);
        if let Some(names) = known.as_ref().and_then(|folder| folder.at_once(&wanted)) {
            return Ok(Some(names));
        }
        let (listed, key, wanted) = (Arc::clone(&self.listed), prefix.clone(), OwnedWanted::from(wanted));
        on_blocking_pool(prefix, move || {
            let folder = known.map_or_else(|| listed.read(&key, &path), |known| Ok(Some(known)))?;
            folder.map(|folder| folder.page(&path, &wanted.borrow())).transpose()
        })
        .await
    }

    async fn names_of_each(
        &self,
        prefix: &Key,
        folders: &Names,
        at_most: usize,
    ) -> Result<Option<Vec<Names>>> {
        if !self.has_witnesses() {
            return Ok(None);
        }
        let path = self.path(prefix);
        let known = self.listed.known_below(prefix, &path, folders);
        let first = move |folder: &Folder| folder.names.slice(0..at_most);
        if let Some(names) = known.iter().map(|folder| folder.as_deref().map(first)).collect() {
            return Ok(Some(names));
        }
        let (listed, key, folders) = (Arc::clone(&self.listed), prefix.clone(), folders.clone());
        on_blocking_pool(prefix, move || {
            let read = |(known, name): (Option<Arc<Folder>>, &str)| match known {
                Some(folder) => Ok(Some(first(&folder))),
                None => Ok(listed.read(&key.join(name), &path.join(name))?.map(|folder| first(&folder))),
            };
            known.into_iter().zip(folders.iter()).map(read).collect()
        })
        .await
    }

    async fn append(
        &self,
        upload: &Key,
        offset: u64,
        body: ByteStream,
        _destination: Option<&Key>,
    ) -> Result<u64> {
        upload::append(Arc::clone(&self.folders), self.path(upload), upload, offset, body).await
    }

    async fn flush_upload(&self, upload: &Key) -> Result<()> {
        let (folders, path) = (Arc::clone(&self.folders), self.path(upload));
        on_blocking_pool(upload, move || upload::flush(&folders, &path)).await
    }

    async fn upload_size(&self, upload: &Key) -> Result<u64> {
        Ok(self.head(upload).await?.size)
    }

    fn reads_growing_uploads(&self) -> bool {
        true
    }

    async fn complete(&self, upload: &Key, size: u64, object: &Key) -> Result<()> {
        self.publish(upload, size, object, Vec::new()).await
    }

    async fn publish(&self, upload: &Key, size: u64, object: &Key, links: Vec<(Key, Bytes)>) -> Result<()> {
        let (folders, from, to) = (Arc::clone(&self.folders), self.path(upload), self.path(object));
        let links = self.files(links);
        match on_blocking_pool(upload, move || upload::publish(&folders, &from, size, &to, &links)).await? {
            Completion::Done => Ok(()),
            Completion::Busy => Err(Error::Busy(upload.clone())),
            Completion::OfSize(expected) => Err(Error::OffsetMismatch { expected }),
        }
    }

    async fn abort(&self, upload: &Key) -> Result<()> {
        let (folders, path) = (Arc::clone(&self.folders), self.path(upload));
        let busy = upload.clone();
        on_blocking_pool(upload, move || upload::abort(&folders, &path)).await?.ok_or(Error::Busy(busy))
    }

    async fn remove_leftovers(&self, prefix: &Key, before: SystemTime) -> Result<u64> {
        let path = self.path(prefix);
        on_blocking_pool(prefix, move || leftovers::remove(&path, before)).await
    }

    fn has_witnesses(&self) -> bool {
        !self.familiar.is_elsewhere()
    }

    fn witness(&self, object: &ObjectMeta) -> Option<Box<dyn Witness>> {
        Some(Box::new(FileWitness::of(object, &self.path(&object.key))?))
    }

    async fn space(&self) -> Result<Option<Space>> {
        // A disk of this machine answers from memory.
        if self.has_witnesses() {
            let space = space::of(self.folders.root()).map(Some);
            return space.map_err(|error| Error::from_io(&Key::default(), error));
        }
        let folders = Arc::clone(&self.folders);
        on_blocking_pool(&Key::default(), move || space::of(folders.root()).map(Some)).await
    }
}
