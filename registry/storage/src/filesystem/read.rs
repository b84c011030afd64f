//! Objects that are looked at and opened.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, StreamExt as _};
use rustix::fs::{Mode, OFlags};

use super::cached::{self, Wait};
use super::file_range::FileRange;
use super::version;
use crate::{Body, Key, Object, ObjectMeta};

/// Up to this length a body is read at once: the file can be closed again, and links and most manifests are complete
/// after one look at the disk.
const SMALL: u64 = 16 << 10;

/// What `metadata` says about the object `key`.
pub(super) fn meta(key: Key, metadata: &Metadata) -> io::Result<ObjectMeta> {
    if !metadata.is_file() {
        return Err(ErrorKind::NotFound.into());
    }
    let version = Some(version::of(metadata));
    Ok(ObjectMeta { key, size: metadata.len(), modified: metadata.modified()?, version })
}

/// Opens the file for reading, or only for looking at it.
pub(super) fn file(path: &Path, flags: OFlags, wait: Wait) -> io::Result<File> {
    match wait {
        Wait::Never => cached::open(path, flags),
        Wait::ForDisk => Ok(rustix::fs::open(path, flags | OFlags::CLOEXEC, Mode::empty())?.into()),
    }
}

/// Opens the object.
pub(super) fn open(key: Key, path: &Path, range: Option<Range<u64>>, wait: Wait) -> io::Result<Object> {
    let file = file(path, OFlags::RDONLY, wait)?;
    let meta = meta(key, &file.metadata()?)?;
    let range = range.unwrap_or(0..meta.size);
    let (start, end) = (range.start.min(meta.size), range.end.min(meta.size));
    let body = body(file, start, end.saturating_sub(start), wait)?;
    Ok(Object { meta, body })
}

/// What is read of the file, which may be one of which nobody can say whether sending it waits for the disk.
fn body(file: File, start: u64, length: u64, wait: Wait) -> io::Result<Body> {
    if length <= SMALL || can_be_sent(&file, start) {
        return part(Arc::new(file), start, length, wait);
    }
    match wait {
        Wait::Never => Err(ErrorKind::Unsupported.into()),
        Wait::ForDisk => Ok(Body::Stream(FileRange::new(Arc::new(file), start, length).boxed())),
    }
}

/// Whether it can be said of the file what of it is in memory.
pub(super) fn can_be_sent(file: &File, start: u64) -> bool {
    let probe = cached::read(file, &mut [0], start);
    !probe.is_err_and(|error| error.kind() == ErrorKind::Unsupported)
}

/// A part of a file that can be sent. A small one is read now; a large one is left to whoever wants it.
pub(super) fn part(file: Arc<File>, start: u64, length: u64, wait: Wait) -> io::Result<Body> {
    if length > SMALL {
        return Ok(Body::File(FileRange::new(file, start, length)));
    }
    let bytes = whole(&file, start, length, wait)?;
    Ok(Body::Stream(stream::iter((!bytes.is_empty()).then_some(Ok(bytes))).boxed()))
}

/// That much of the file, at once.
pub(super) fn whole(file: &File, start: u64, length: u64, wait: Wait) -> io::Result<Bytes> {
    if wait == Wait::Never && length > SMALL {
        return Err(ErrorKind::WouldBlock.into());
    }
    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    match wait {
        Wait::ForDisk => file.read_exact_at(&mut bytes, start)?,
        // The rest may come from the disk, or the file may have been cut: the pool finds out.
        Wait::Never if bytes.is_empty() || cached::read(file, &mut bytes, start)? == bytes.len() => {}
        Wait::Never => return Err(ErrorKind::WouldBlock.into()),
    }
    Ok(bytes.into())
}
