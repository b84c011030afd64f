//! The contract between the registry's rules and whatever keeps the bytes.

use std::fmt::{self, Debug};
use std::future::ready;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{
    TryStreamExt as _,
    stream::{BoxStream, StreamExt as _},
};

use crate::{Body, ByteStream, Error, Key, Names, PresignedUrl, Result, Wanted};

/// Which content an object has: two versions of an object are equal when nobody has put it in between.
///
/// What it is made of is up to the store. It can be compared and given to [`PutCondition::IfVersion`], and
/// means nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(pub(crate) Stamp);

/// What a store tells versions apart by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stamp {
    /// Numbers that change with every write.
    Numbers([u64; 3]),
    /// The server's word for the content.
    Tag(String),
}

/// What is known about an object without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectMeta {
    /// The name of the object.
    pub key: Key,
    /// Its length in bytes.
    pub size: u64,
    /// When it was put or completed.
    pub modified: SystemTime,
    /// Which content it has; `None` where the store cannot tell.
    pub version: Option<Version>,
}

/// An object that is being read.
pub struct Object {
    /// What is known about the whole object.
    pub meta: ObjectMeta,
    /// The bytes of the range that was asked for.
    pub body: Body,
}

impl Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Object").field("meta", &self.meta).finish_non_exhaustive()
    }
}

/// How much room a store has, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// What may still be written.
    pub free: u64,
    /// What the disk has as a whole.
    pub size: u64,
}

/// When an object may be put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PutCondition {
    /// Whatever is there is replaced.
    Always,
    /// Only when nothing is there.
    IfAbsent,
    /// Only when the object is still of this version.
    IfVersion(Version),
}

/// Whether something may be done, as it is at the moment of asking.
pub type Permission = Arc<dyn Fn() -> bool + Send + Sync>;

/// How many objects are deleted at once.
const CONCURRENT_DELETIONS: usize = 16;

/// Who tells of an object, without waiting and as it is now, whether it is the version that it was.
pub trait Witness: Debug + Send + Sync {
    /// Whether the object has not changed. When that cannot be told at once, it has.
    fn holds(&self) -> bool;

    /// The part of the object that the range names, which lies within it, if the object has not changed. `None` also when
    /// it cannot be had at once.
    fn open(&self, _range: Range<u64>) -> Option<Body> {
        None
    }
}

/// Objects under keys, and uploads that become objects.
///
/// A reader sees a whole object or none, never a part. What an operation has acknowledged is not lost when
/// the process or the machine stops, except where a method says so. Several processes may work on the same
/// store. What there is of an upload in progress is listed at its key or below it, dated by its last append; only
/// [`read_upload`](ObjectStore::read_upload) reads it.
#[async_trait]
pub trait ObjectStore: Debug + Send + Sync + 'static {
    /// What is known about the object. `NotFound` when there is none.
    async fn head(&self, key: &Key) -> Result<ObjectMeta>;

    /// The object, or the part of it that `range` names, cut to the object's end. `NotFound` when there is
    /// none.
    ///
    /// A body that is being read stays readable when the object is replaced or deleted meanwhile.
    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> Result<Object>;

    /// The whole object at once, for one that is small. `NotFound` when there is none.
    async fn read(&self, key: &Key) -> Result<(ObjectMeta, Bytes)> {
        let Object { meta, body } = self.get(key, None).await?;
        let chunks: io::Result<Vec<Bytes>> = body.try_collect().await;
        let chunks = chunks.map_err(|source| Error::Unavailable { key: key.clone(), source })?;
        let content = match <[Bytes; 1]>::try_from(chunks) {
            Ok([content]) => content,
            Err(chunks) => chunks.concat().into(),
        };
        Ok((meta, content))
    }

    /// Keeps `body` under `key`, if the condition holds. Of several writers with the same condition exactly one
    /// succeeds; the others get `AlreadyExists` or `VersionMismatch`, whatever process they are in.
    async fn put(&self, key: &Key, body: Bytes, condition: PutCondition) -> Result<()>;

    /// Keeps small objects, whatever is there, one after the other, and acknowledges all of them together: nobody sees one
    /// that does not see those before it. What has its content already is only dated anew.
    async fn put_all(&self, objects: Vec<(Key, Bytes)>) -> Result<()> {
        for (key, body) in objects {
            self.put(&key, body, PutCondition::Always).await?;
        }
        Ok(())
    }

    /// Keeps `body` under `key`, which nobody else writes at the same time, as a note that can be done without: a failure of
    /// power may take it away again, or leave it empty.
    async fn note(&self, key: &Key, body: Bytes) -> Result<()> {
        self.put(key, body, PutCondition::Always).await
    }

    /// Removes the object. That it is absent already is success. A deletion may be undone by a failure of
    /// power.
    async fn delete(&self, key: &Key) -> Result<()>;

    /// Removes these objects one after the other, as [`delete`](ObjectStore::delete) does, for as long as that is permitted,
    /// which is asked right before each. Returns how many of them are gone.
    async fn delete_each(&self, keys: Vec<Key>, is_permitted: Permission) -> Result<usize> {
        for (gone, key) in keys.iter().enumerate() {
            if !is_permitted() {
                return Ok(gone);
            }
            self.delete(key).await?;
        }
        Ok(keys.len())
    }

    /// How many objects are best given to [`delete_each`](ObjectStore::delete_each) at once.
    fn deletes_at_once(&self) -> usize {
        1
    }

    /// Removes all objects below `prefix`, as [`delete`](ObjectStore::delete) does. What is put there meanwhile may stay.
    async fn delete_all(&self, prefix: &Key) -> Result<()> {
        let delete = |object: ObjectMeta| async move { self.delete(&object.key).await };
        self.list(prefix, None).try_for_each_concurrent(CONCURRENT_DELETIONS, delete).await
    }

    /// All objects whose keys are below `prefix` and come after `start_after`, in the byte order of their
    /// keys.
    ///
    /// What is put or deleted meanwhile may or may not be seen; everything else is seen exactly once. Nothing
    /// that an interrupted write left behind is listed.
    fn list(&self, prefix: &Key, start_after: Option<&Key>) -> BoxStream<'_, Result<ObjectMeta>>;

    /// The objects whose keys have `depth` components more than `prefix`, of which `name` is the last, as
    /// [`list`](ObjectStore::list) tells them. A store may find them without looking at what else is there.
    fn list_named(
        &self,
        prefix: &Key,
        depth: usize,
        name: &'static str,
    ) -> BoxStream<'_, Result<ObjectMeta>> {
        let folder = prefix.clone();
        let is_wanted = move |key: &Key| {
            let below = key.strip_prefix(&folder).unwrap_or_default();
            below.split('/').count() == depth && below.rsplit('/').next() == Some(name)
        };
        self.list(prefix, None).try_filter(move |object| ready(is_wanted(&object.key))).boxed()
    }

    /// The distinct components that follow `prefix` in the keys of objects, after `start_after`, in byte
    /// order.
    ///
    /// A store may also name a component below which nothing is left.
    fn children(&self, prefix: &Key, start_after: Option<&str>) -> BoxStream<'_, Result<String>>;

    /// The wanted ones of the components that follow `prefix`, as [`children`](ObjectStore::children) tells them, all at once.
    /// Fewer than were asked for are the last ones. `None` from a store that cannot tell them faster than one by one.
    ///
    /// What is put or deleted before, by any process, is seen. That holds for names that lead to an object as well; where
    /// somebody who is no store of this kind removes the object and leaves what is around it, that is seen a moment later.
    async fn names(&self, prefix: &Key, wanted: Wanted<'_>) -> Result<Option<Names>> {
        let _one_by_one = (prefix, wanted);
        Ok(None)
    }

    /// The first names that follow each of these components of `prefix`, as [`names`](ObjectStore::names) tells them.
    async fn names_of_each(
        &self,
        prefix: &Key,
        folders: &Names,
        at_most: usize,
    ) -> Result<Option<Vec<Names>>> {
        let _one_by_one = (prefix, folders, at_most);
        Ok(None)
    }

    /// Adds `body` to the end of the upload, which must have `offset` bytes, and returns how many it has
    /// then.
    ///
    /// An upload starts to exist with its first append, at offset 0. `OffsetMismatch` when the upload has
    /// another size, `Busy` when another append or completion is going on; neither changes anything. When the
    /// body breaks off, what came before is kept (`BodyInterrupted`). Appended bytes may be lost by a failure
    /// of power, or turn into others, until they are flushed, but not by the end of the process. Memory stays
    /// constant whatever the length of the body.
    ///
    /// `destination` is the object that the upload will become, where that is known already: a store that
    /// cannot move objects may put the bytes where they will stay. It is no more than a hint.
    async fn append(
        &self,
        upload: &Key,
        offset: u64,
        body: ByteStream,
        destination: Option<&Key>,
    ) -> Result<u64>;

    /// Makes what was appended survive a failure of power, and that something is kept beside the upload, such as a
    /// [`note`](ObjectStore::note), though maybe not its content. An upload of which that cannot be said is dropped,
    /// because nobody knows what has become of its bytes.
    async fn flush_upload(&self, upload: &Key) -> Result<()> {
        let _appended_bytes_last = upload;
        Ok(())
    }

    /// How many bytes the upload has. `NotFound` when there is none.
    async fn upload_size(&self, upload: &Key) -> Result<u64>;

    /// The bytes that the upload has in the range, cut to its end. `NotFound` when there is no upload, and also
    /// when a store that cannot read what it has taken in has dropped it; `Busy` when an append is going on and
    /// the store cannot read beside it.
    async fn read_upload(&self, upload: &Key, range: Range<u64>) -> Result<ByteStream> {
        Ok(self.get(upload, Some(range)).await?.body.boxed())
    }

    /// Whether [`read_upload`](ObjectStore::read_upload) reads beside an append that is going on.
    fn reads_growing_uploads(&self) -> bool {
        false
    }

    /// Turns the upload into the object in one step. When the object exists already it stays as it is, and
    /// the upload is dropped; so it is when its bytes cannot be made to last. `NotFound` when there is no upload,
    /// `OffsetMismatch` when it has another `size`: somebody has added to what the caller knows.
    async fn complete(&self, upload: &Key, size: u64, object: &Key) -> Result<()>;

    /// [Completes](ObjectStore::complete) the upload, then [puts](ObjectStore::put_all) what makes the object known, and
    /// acknowledges all of it together.
    async fn publish(&self, upload: &Key, size: u64, object: &Key, links: Vec<(Key, Bytes)>) -> Result<()> {
        self.complete(upload, size, object).await?;
        self.put_all(links).await
    }

    /// Drops the upload. That it is absent already is success; `Busy` when an append is going on.
    async fn abort(&self, upload: &Key) -> Result<()>;

    /// Removes what interrupted work has left at `prefix` or below it in places that no key shows, if it is from before a
    /// point in time, and returns how many such things there were.
    async fn remove_leftovers(&self, prefix: &Key, before: SystemTime) -> Result<u64> {
        let _nothing_is_hidden = (prefix, before);
        Ok(0)
    }

    /// For how long what was read may be told again without another look. That is no time at all where a look costs
    /// next to nothing; a store that is far away spares requests so.
    fn patience(&self) -> Duration {
        Duration::ZERO
    }

    /// Whether there are witnesses of objects at all.
    fn has_witnesses(&self) -> bool {
        false
    }

    /// A witness of the object of which `object` tells; `None` where there is none, or if the object is another now.
    fn witness(&self, _object: &ObjectMeta) -> Option<Box<dyn Witness>> {
        None
    }

    /// A URL by which whoever has it reads the object, whole or in ranges, with `GET` and for `lifetime`, or for as long as
    /// the credentials are valid that it was made with, if that is shorter. `None` when the store has no such URLs.
    /// Whether there is an object is not looked at.
    async fn presigned_url(&self, key: &Key, lifetime: Duration) -> Result<Option<PresignedUrl>> {
        let _nobody_else_reads_here = (key, lifetime);
        Ok(None)
    }

    /// How much room there is; `None` when the store has no bound of its own.
    async fn space(&self) -> Result<Option<Space>> {
        Ok(None)
    }
}
