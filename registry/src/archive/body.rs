//! Bodies between files, which block, and the registry, which does not.

use std::io::{self, Read};

use berth_oci::Digest;
use berth_storage::ByteStream;
use bytes::{Buf as _, Bytes};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use tokio::runtime::Handle;
use tokio::task;

use super::Progress;
use crate::repository::Hasher;

/// How much is read at once.
const PIECE: u64 = 512 * 1024;

/// The stream of what `content` has.
pub(super) fn stream_of(content: Box<dyn Read + Send>, progress: Progress) -> ByteStream {
    let pieces = stream::try_unfold(content, move |mut content| {
        let progress = progress.clone();
        async move {
            let read = task::spawn_blocking(move || {
                let mut piece = Vec::new();
                content.by_ref().take(PIECE).read_to_end(&mut piece)?;
                io::Result::Ok((piece, content))
            });
            let (piece, content) = read.await??;
            progress.passed(piece.len() as u64);
            Ok((!piece.is_empty()).then(|| (Bytes::from(piece), content)))
        }
    });
    pieces.boxed()
}

/// A stream as it is read by a thread that may block. Its end is an error when it has another digest.
pub(super) struct VerifiedBody {
    stream: ByteStream,
    runtime: Handle,
    piece: Bytes,
    digest: Digest,
    hasher: Option<Hasher>,
    progress: Progress,
}

impl VerifiedBody {
    pub(super) fn new(stream: ByteStream, digest: Digest, runtime: Handle, progress: Progress) -> Self {
        let hasher = Some(Hasher::new(digest.algorithm()));
        Self { stream, runtime, piece: Bytes::new(), digest, hasher, progress }
    }

    fn end(&mut self) -> io::Result<usize> {
        let actual = self.hasher.take().map(Hasher::finish);
        match actual.filter(|actual| *actual != self.digest) {
            Some(actual) => {
                let damaged =
                    format!("the content of {} is damaged: it has the digest {actual}", self.digest);
                Err(io::Error::new(io::ErrorKind::InvalidData, damaged))
            }
            None => Ok(0),
        }
    }
}

impl Read for VerifiedBody {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            let Some(piece) = self.runtime.block_on(self.stream.try_next())? else { return self.end() };
            if let Some(hasher) = &mut self.hasher {
                hasher.update(&piece);
            }
            self.progress.passed(piece.len() as u64);
            self.piece = piece;
        }
        let length = buffer.len().min(self.piece.len());
        self.piece.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}
