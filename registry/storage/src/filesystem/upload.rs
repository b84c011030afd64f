//! Uploads: files that grow and then move to their place.
//!
//! Whoever writes to one holds its lock, which other processes respect too and which ends with the process.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, IoSlice, Write as _};
use std::mem;
use std::num::NonZeroU64;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;
use rustix::fs::{Advice, fadvise};
use tokio::task::{self, JoinHandle};

use super::batch;
use super::folder::Folders;
use super::on_blocking_pool;
use super::write::{is_absent, touch};
use crate::{ByteStream, Error, Key, Result};

/// How much is collected before it is written: one batch is written while the next one arrives.
const BATCH: usize = 2 * 1024 * 1024;

/// How many of the last bytes of a growing upload others cannot read yet at most: those of two batches, and of the chunk that makes
/// one full.
pub const HELD_BACK: u64 = (2 * BATCH + (1 << 20)) as u64;

/// After so many bytes the disk begins to write them, so that little is left to be flushed in the end.
const WRITE_BACK: u64 = 8 * 1024 * 1024;

/// How many chunks are collected at most: as many as one system call takes, so that tiny ones do not pile up.
const BATCH_CHUNKS: usize = 1024;

/// Adds `body` to the file at `path`, which must have `offset` bytes.
pub(super) async fn append(
    folders: Arc<Folders>,
    path: PathBuf,
    upload: &Key,
    offset: u64,
    body: ByteStream,
) -> Result<u64> {
    let opened = on_blocking_pool(upload, move || open(&folders, &path, offset == 0)).await?;
    let (file, expected) = opened.ok_or_else(|| Error::Busy(upload.clone()))?;
    if expected != offset {
        return Err(Error::OffsetMismatch { expected });
    }
    let mut tail = Tail { upload: upload.clone(), size: offset, state: State::Resting(file) };
    let ended = tail.receive(body).await;
    tail.settle().await?;
    match ended {
        Ok(()) => Ok(tail.size),
        Err(Received::Interrupted(source)) => {
            Err(Error::BodyInterrupted { written: tail.size - offset, source })
        }
        Err(Received::Failed(error)) => Err(error),
    }
}

/// Opens an upload for its one writer and says how many bytes it has; `None` when somebody else writes to it.
fn open(folders: &Folders, path: &Path, create: bool) -> io::Result<Option<(File, u64)>> {
    let open = || OpenOptions::new().append(true).create(create).open(path);
    let file = if create { folders.with_folder_of(path, open)? } else { open()? };
    if !lock(&file, path)? {
        return Ok(None);
    }
    let size = file.metadata()?.len();
    Ok(Some((file, size)))
}

/// Takes the lock of the file at `path`. `false` when somebody else has it.
fn lock(file: &File, path: &Path) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(false),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    // The upload may have been completed or dropped between opening and locking.
    let (locked, present) = (file.metadata()?, path.metadata()?);
    if (locked.dev(), locked.ino()) == (present.dev(), present.ino()) {
        Ok(true)
    } else {
        Err(ErrorKind::NotFound.into())
    }
}

/// The growing end of an upload.
struct Tail {
    upload: Key,
    /// How many bytes are in the file for certain.
    size: u64,
    state: State,
}

enum State {
    Resting(File),
    Writing { batch_size: u64, done: JoinHandle<(File, io::Result<()>)> },
    Broken,
}

/// Why a body was not received to its end.
enum Received {
    Interrupted(io::Error),
    Failed(Error),
}

impl Tail {
    /// Writes the body in batches, whose last one may still be on its way afterwards.
    async fn receive(&mut self, mut body: ByteStream) -> Result<(), Received> {
        let mut batch = Vec::new();
        let mut batch_size = 0;
        while let Some(chunk) = body.next().await {
            match chunk {
                Ok(chunk) => {
                    batch_size += chunk.len();
                    batch.push(chunk);
                }
                Err(error) => {
                    self.write(batch, batch_size).await.map_err(Received::Failed)?;
                    return Err(Received::Interrupted(error));
                }
            }
            if batch_size >= BATCH || batch.len() >= BATCH_CHUNKS {
                self.write(mem::take(&mut batch), mem::take(&mut batch_size))
                    .await
                    .map_err(Received::Failed)?;
            }
        }
        self.write(batch, batch_size).await.map_err(Received::Failed)
    }

    /// Starts to write a batch as soon as the one before it is written.
    async fn write(&mut self, batch: Vec<Bytes>, batch_size: usize) -> Result<()> {
        self.settle().await?;
        let State::Resting(mut file) = mem::replace(&mut self.state, State::Broken) else {
            return Ok(());
        };
        let size = self.size;
        let done = task::spawn_blocking(move || {
            let written = write_all(&mut file, &batch);
            if written.is_err() {
                // A part of a batch must not count: nobody knows its length.
                let _ = file.set_len(size);
            } else {
                write_back(&file, size, size + batch_size as u64);
            }
            (file, written)
        });
        self.state = State::Writing { batch_size: batch_size as u64, done };
        Ok(())
    }

    /// Waits until nothing is on its way to the file.
    async fn settle(&mut self) -> Result<()> {
        let State::Writing { batch_size, done } = &mut self.state else {
            return Ok(());
        };
        let written = match done.await {
            Ok((file, written)) => {
                self.size += if written.is_ok() { *batch_size } else { 0 };
                self.state = State::Resting(file);
                written
            }
            Err(stopped) => {
                self.state = State::Broken;
                Err(stopped.into())
            }
        };
        written.map_err(|error| Error::from_io(&self.upload, error))
    }
}

/// Lets the disk begin to write what is before `size`, when that has just passed a multiple of [`WRITE_BACK`].
///
/// Linux does so when it hears that these bytes are not needed, and does not wait. They stay readable in memory until they
/// are written, and whether they are is asked of `fsync` later: an error of the disk is told there.
fn write_back(file: &File, before: u64, size: u64) {
    let (begun, whole) = (before / WRITE_BACK * WRITE_BACK, size / WRITE_BACK * WRITE_BACK);
    if let Some(length) = NonZeroU64::new(whole - begun) {
        let _without_it_the_end_takes_longer = fadvise(file, begun, Some(length), Advice::DontNeed);
    }
}

fn write_all(file: &mut File, chunks: &[Bytes]) -> io::Result<()> {
    let mut slices: Vec<_> = chunks.iter().map(|chunk| IoSlice::new(chunk)).collect();
    let mut rest = slices.as_mut_slice();
    IoSlice::advance_slices(&mut rest, 0);
    while !rest.is_empty() {
        match file.write_vectored(rest) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut rest, written),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// What has become of an upload that was to be completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Completion {
    Done,
    /// Somebody else writes to it.
    Busy,
    /// It has another size than it should have, and stays.
    OfSize(u64),
}

/// Moves the upload to the place of the object, if it has that size, and puts what makes the object known.
///
/// Its bytes are flushed before it moves, as is what the others hold, and all names together afterwards. The folder that it leaves is not: a name that comes
/// back there is a deletion that was undone, and file systems that keep a journal move a file as a whole or not at all.
pub(super) fn publish(
    folders: &Folders,
    upload: &Path,
    size: u64,
    object: &Path,
    links: &[(PathBuf, Bytes)],
) -> io::Result<Completion> {
    let file = File::open(upload)?;
    if !lock(&file, upload)? {
        return Ok(Completion::Busy);
    }
    let actual = file.metadata()?.len();
    if actual != size {
        return Ok(Completion::OfSize(actual));
    }
    let is_there = object.is_file();
    // What is there is flushed as well: whoever brought it may have died before that.
    batch::put(folders, links, &[object], || {
        if is_there {
            return Ok(());
        }
        touch(&file)?;
        sync(upload, || file.sync_data())?;
        folders.with_folder_of(object, || fs::rename(upload, object))
    })?;
    if is_there {
        fs::remove_file(upload)?;
    }
    Ok(Completion::Done)
}

/// Makes the bytes of the upload survive a failure of power, and that there is one; there may be no bytes yet.
pub(super) fn flush(folders: &Folders, upload: &Path) -> io::Result<()> {
    match File::open(upload) {
        Ok(file) => sync(upload, || file.sync_data())?,
        Err(error) if is_absent(&error) => {}
        Err(error) => return Err(error),
    }
    folders.keep([upload])
}

/// Drops the upload when its bytes did not reach the disk: the system tells of that once, and would let the next attempt
/// succeed without them.
fn sync(upload: &Path, sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    sync().inspect_err(|_| {
        let _is_told_of_already = fs::remove_file(upload);
    })
}

/// Removes the upload; `None` when somebody else writes to it.
pub(super) fn abort(folders: &Folders, upload: &Path) -> io::Result<Option<()>> {
    let locked = File::open(upload).and_then(|file| Ok(lock(&file, upload)?.then_some(file)));
    match locked {
        Ok(Some(_file)) => fs::remove_file(upload)?,
        Ok(None) => return Ok(None),
        Err(error) if is_absent(&error) => {}
        Err(error) => return Err(error),
    }
    folders.remove_empty_above(upload);
    Ok(Some(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_that_did_not_reach_the_disk_is_dropped() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("data");
        fs::write(&path, "x").unwrap();
        sync(&path, || Ok(())).unwrap();
        assert!(path.exists());
        let error = sync(&path, || Err(ErrorKind::StorageFull.into())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageFull);
        assert!(!path.exists());
    }

    #[test]
    fn an_upload_without_bytes_has_nothing_to_flush() {
        let root = tempfile::tempdir().unwrap();
        flush(&Folders::below(root.path().to_owned()), &root.path().join("data")).unwrap();
    }
}
