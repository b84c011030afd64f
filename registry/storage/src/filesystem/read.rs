//! Objects that are read, in large pieces and one piece ahead of the reader.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::Path;

use bytes::Bytes;
use futures::stream::{self, StreamExt as _};
use tokio::task::{self, JoinHandle};

use super::version;
use crate::{ByteStream, Key, Object, ObjectMeta};

/// How much is read at once: large enough that the way to the blocking pool does not count.
const PIECE: u64 = 512 * 1024;

/// What `metadata` says about the object `key`.
pub(super) fn meta(key: Key, metadata: &Metadata) -> io::Result<ObjectMeta> {
    if !metadata.is_file() {
        return Err(ErrorKind::NotFound.into());
    }
    let version = Some(version::of(metadata));
    Ok(ObjectMeta { key, size: metadata.len(), modified: metadata.modified()?, version })
}

/// Opens the object and reads its first piece, which for a small one is all.
pub(super) fn open(key: Key, path: &Path, range: Option<Range<u64>>) -> io::Result<Object> {
    let mut file = File::open(path)?;
    let meta = meta(key, &file.metadata()?)?;
    let range = range.unwrap_or(0..meta.size);
    let (start, end) = (range.start.min(meta.size), range.end.min(meta.size));
    if start > 0 {
        file.seek(SeekFrom::Start(start))?;
    }
    let mut source = Source { file, remaining: end.saturating_sub(start) };
    let first = source.read_piece()?;
    Ok(Object { meta, body: pieces(source, first) })
}

/// What is left to read of a file.
struct Source {
    file: File,
    remaining: u64,
}

impl Source {
    fn read_piece(&mut self) -> io::Result<Bytes> {
        let length = self.remaining.min(PIECE);
        let mut piece = Vec::with_capacity(usize::try_from(length).map_err(io::Error::other)?);
        Read::by_ref(&mut self.file).take(length).read_to_end(&mut piece)?;
        if (piece.len() as u64) < length {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.remaining -= length;
        Ok(piece.into())
    }

    /// Starts to read the next piece on the blocking pool, if there is one.
    fn read_ahead(mut self) -> Next {
        if self.remaining == 0 {
            return Next::End;
        }
        Next::Reading(task::spawn_blocking(move || self.read_piece().map(|piece| (self, piece))))
    }
}

/// The piece that the reader gets next.
enum Next {
    Ready(Source, Bytes),
    Reading(JoinHandle<io::Result<(Source, Bytes)>>),
    End,
}

impl Next {
    async fn piece(self) -> Option<io::Result<(Source, Bytes)>> {
        match self {
            Self::Ready(source, piece) => Some(Ok((source, piece))),
            Self::Reading(reading) => Some(reading.await.unwrap_or_else(|stopped| Err(stopped.into()))),
            Self::End => None,
        }
    }
}

/// The pieces of a file. While the reader has one, the next is being read.
fn pieces(source: Source, first: Bytes) -> ByteStream {
    let first = if first.is_empty() { Next::End } else { Next::Ready(source, first) };
    stream::unfold(first, |next| async {
        match next.piece().await? {
            Ok((source, piece)) => Some((Ok(piece), source.read_ahead())),
            Err(error) => Some((Err(error), Next::End)),
        }
    })
    .boxed()
}
