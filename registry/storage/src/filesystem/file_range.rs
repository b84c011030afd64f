//! A part of an open file, which is read, or sent as it is, piece by piece.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::stream::{self, Stream};
use tokio::task::{self, JoinHandle};

use super::buffer;
use super::cached::{self, Wait};

/// How far apart the places are at which it is looked whether a piece is in memory: the kernel reads and forgets in
/// units of about this size.
const STRIDE: usize = 512 << 10;

/// A part of an open file.
///
/// It is a stream of chunks that are read at once where they are in memory, and on the blocking pool where not, where one
/// is read ahead then.
/// [`pieces`](FileRange::pieces) leaves the reading to somebody else.
#[derive(Debug)]
pub struct FileRange {
    rest: FilePiece,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
}

/// A piece of a file.
#[derive(Debug, Clone)]
pub struct FilePiece {
    /// The file, which keeps its content also when nobody can find it any more.
    pub file: Arc<File>,
    /// Where the piece begins.
    pub offset: u64,
    /// How long it is.
    pub length: u64,
}

impl FileRange {
    pub(super) fn new(file: Arc<File>, offset: u64, length: u64) -> Self {
        Self { rest: FilePiece { file, offset, length }, reading: None }
    }

    /// The pieces, none longer than `longest`. Each is in memory when it comes, so that sending it makes nobody wait for a
    /// disk, unless the kernel needs the memory for something else meanwhile.
    pub fn pieces(self, longest: usize) -> impl Stream<Item = io::Result<FilePiece>> + Send {
        stream::unfold(self.rest, move |mut rest| async move {
            let piece = rest.split(longest)?;
            Some((piece.load().await, rest))
        })
    }
}

impl Stream for FileRange {
    type Item = io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let Self { rest, reading } = self.get_mut();
        loop {
            if let Some(running) = reading {
                let read =
                    ready!(Pin::new(running).poll(context)).unwrap_or_else(|stopped| Err(stopped.into()));
                let read = rest.pass(read);
                *reading = rest.read_ahead();
                return Poll::Ready(Some(read));
            }
            let Some(next) = rest.clone().split(buffer::LENGTH) else { return Poll::Ready(None) };
            if let Ok(read) = next.read(Wait::Never) {
                return Poll::Ready(Some(rest.pass(Ok(read))));
            }
            *reading = Some(next.read_on_pool());
        }
    }
}

impl FilePiece {
    /// Takes off the beginning; `None` when nothing is left.
    fn split(&mut self, longest: usize) -> Option<Self> {
        let length = self.length.min(longest as u64);
        let first = Self { length, ..self.clone() };
        self.skip(length);
        (length > 0).then_some(first)
    }

    fn skip(&mut self, length: u64) {
        self.offset += length;
        self.length -= length;
    }

    /// Goes on after what was read. After a failure, nothing is left.
    fn pass(&mut self, read: io::Result<Bytes>) -> io::Result<Bytes> {
        self.skip(read.as_ref().map_or(self.length, |bytes| bytes.len() as u64));
        read
    }

    /// Reads the beginning, which is all unless memory has no more of it, or it is longer than a buffer.
    fn read(&self, wait: Wait) -> io::Result<Bytes> {
        let length = usize::try_from(self.length).map_or(buffer::LENGTH, |length| length.min(buffer::LENGTH));
        buffer::fill(length, |room| self.read_into(room, wait))
    }

    fn read_into(&self, room: &mut [u8], wait: Wait) -> io::Result<usize> {
        let read = match wait {
            Wait::Never => cached::read(&self.file, room, self.offset)?,
            Wait::ForDisk => self.file.read_at(room, self.offset)?,
        };
        // Somebody has cut the file: its object is no longer what was promised.
        if read == 0 { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(read) }
    }

    fn read_on_pool(self) -> JoinHandle<io::Result<Bytes>> {
        task::spawn_blocking(move || self.read(Wait::ForDisk))
    }

    /// Begins to read what comes next if that has to be waited for.
    fn read_ahead(&self) -> Option<JoinHandle<io::Result<Bytes>>> {
        let next = self.clone().split(buffer::LENGTH)?;
        (!next.is_loaded()).then(|| next.read_on_pool())
    }

    /// Sees to it that the piece is in memory.
    async fn load(self) -> io::Result<Self> {
        if self.is_loaded() {
            return Ok(self);
        }
        let load = move || {
            let mut ahead = self.clone();
            while ahead.length > 0 {
                let read = ahead.read(Wait::ForDisk)?;
                ahead.skip(read.len() as u64);
            }
            Ok(self)
        };
        task::spawn_blocking(load).await.unwrap_or_else(|stopped| Err(stopped.into()))
    }

    /// Whether the piece seems to be in memory: the last byte of every stride is.
    fn is_loaded(&self) -> bool {
        let last = self.length.saturating_sub(1);
        let mut places = (STRIDE as u64 - 1..last).step_by(STRIDE).chain([last]);
        places
            .all(|place| cached::read(&self.file, &mut [0], self.offset + place).is_ok_and(|read| read == 1))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;

    use futures::TryStreamExt as _;

    use super::*;

    /// A file of so many bytes, and a part of it.
    fn range(size: usize, offset: u64, length: u64) -> (FileRange, Vec<u8>, Arc<File>) {
        let content: Vec<u8> = (0..=250).cycle().take(size).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&content).unwrap();
        let file = Arc::new(file);
        (FileRange::new(Arc::clone(&file), offset, length), content, file)
    }

    async fn read(range: FileRange) -> io::Result<Vec<u8>> {
        let chunks: Vec<Bytes> = range.try_collect().await?;
        Ok(chunks.concat())
    }

    #[tokio::test]
    async fn a_part_is_read_from_its_first_byte_to_its_last() {
        for (offset, length) in [(0, 500_000), (1, 499_999), (499_999, 1), (131_071, 131_074), (7, 0)] {
            let (range, content, _file) = range(500_000, offset, length);
            let expected = &content[usize::try_from(offset).unwrap()..][..usize::try_from(length).unwrap()];
            assert!(read(range).await.unwrap() == expected, "{offset} {length}");
        }
    }

    #[tokio::test]
    async fn the_pieces_of_a_part_are_next_to_each_other() {
        let (range, ..) = range(500_000, 10, 300_001);
        let pieces: Vec<FilePiece> = range.pieces(100_000).try_collect().await.unwrap();
        let pieces: Vec<_> = pieces.iter().map(|piece| (piece.offset, piece.length)).collect();
        assert_eq!(pieces, [(10, 100_000), (100_010, 100_000), (200_010, 100_000), (300_010, 1)]);
    }

    #[tokio::test]
    async fn a_file_that_was_cut_meanwhile_is_an_error_and_not_its_end() {
        let (stream, _, file) = range(500_000, 0, 500_000);
        let (pieces, _, other) = range(500_000, 0, 500_000);
        file.set_len(400_000).unwrap();
        other.set_len(400_000).unwrap();
        assert_eq!(read(stream).await.unwrap_err().kind(), ErrorKind::UnexpectedEof);
        let pieces: Vec<_> = stream::StreamExt::collect(pieces.pieces(300_000)).await;
        assert_eq!(pieces.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false]);
    }

    #[tokio::test]
    async fn a_file_that_was_deleted_meanwhile_is_read_to_its_end() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("data");
        fs::write(&path, vec![7; 300_000]).unwrap();
        let range = FileRange::new(File::open(&path).unwrap().into(), 0, 300_000);
        fs::remove_file(&path).unwrap();
        assert_eq!(read(range).await.unwrap(), vec![7; 300_000]);
    }
}
