//! A copy of what has arrived, for storages that can be read only when they have the whole: who comes late reads it here.
//!
//! It is a file without a name in the folder for temporary files (`TMPDIR`), and takes no more than half of what is free there.
//! A server needs no such folder: without a copy, or when it cannot grow any more, who comes late waits for the end.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use tokio::task;

/// The longest piece that is read at once.
const PIECE: u64 = 256 << 10;

/// What has arrived so far, from the first byte on.
#[derive(Debug)]
pub(super) struct Spool {
    file: Arc<File>,
    length: AtomicU64,
}

impl Spool {
    /// An empty one for so many bytes.
    pub(super) async fn create(size: u64) -> io::Result<Self> {
        let created = task::spawn_blocking(move || Self::create_now(size)).await;
        created.unwrap_or_else(|stopped| Err(stopped.into()))
    }

    fn create_now(size: u64) -> io::Result<Self> {
        let file = tempfile::tempfile()?;
        let room = rustix::fs::fstatvfs(&file)?;
        if room.f_bavail.saturating_mul(room.f_frsize) / 2 < size {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(Self { file: Arc::new(file), length: AtomicU64::new(0) })
    }

    /// Adds what stands at `position` in the blob; one that lacks what comes before stays as it is.
    pub(super) async fn append(&self, position: u64, piece: Bytes) {
        if self.length.load(Ordering::Acquire) != position {
            return;
        }
        let (file, length) = (Arc::clone(&self.file), piece.len() as u64);
        let written = task::spawn_blocking(move || file.write_all_at(&piece, position)).await;
        match written.unwrap_or_else(|stopped| Err(stopped.into())) {
            Ok(()) => self.length.store(position + length, Ordering::Release),
            Err(error) => tracing::debug!(%error, "what comes from upstream is not copied any further"),
        }
    }

    /// The next bytes from `position` on, up to `end`; `None` when they are not here.
    pub(super) async fn read(&self, position: u64, end: u64) -> io::Result<Option<Bytes>> {
        let end = self.length.load(Ordering::Acquire).min(end).min(position + PIECE);
        let Some(length) = end.checked_sub(position).filter(|length| *length > 0) else { return Ok(None) };
        let (file, length) = (Arc::clone(&self.file), usize::try_from(length).unwrap_or_default());
        let read = task::spawn_blocking(move || {
            let mut piece = vec![0; length];
            file.read_exact_at(&mut piece, position)?;
            Ok(piece.into())
        });
        read.await.unwrap_or_else(|stopped| Err(stopped.into())).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_added_is_read_from_any_position() {
        let spool = Spool::create(10).await.unwrap();
        assert_eq!(spool.read(0, 10).await.unwrap(), None);
        spool.append(0, Bytes::from_static(b"01234")).await;
        spool.append(5, Bytes::from_static(b"56789")).await;
        assert_eq!(spool.read(3, 7).await.unwrap().unwrap(), "3456");
        assert_eq!(spool.read(8, 20).await.unwrap().unwrap(), "89");
        assert_eq!(spool.read(10, 20).await.unwrap(), None);
    }

    #[tokio::test]
    async fn it_has_no_gaps() {
        let spool = Spool::create(10).await.unwrap();
        spool.append(5, Bytes::from_static(b"56789")).await;
        assert_eq!(spool.read(5, 10).await.unwrap(), None);
    }

    #[tokio::test]
    async fn there_is_none_when_the_disk_has_no_room() {
        assert!(Spool::create(u64::MAX / 2).await.is_err());
    }
}
