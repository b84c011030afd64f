//! The bytes of an object on their way to a reader.

use std::fmt::{self, Debug};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::stream::{BoxStream, Stream, StreamExt as _};

use crate::FileRange;

/// Bytes on their way, chunk by chunk.
pub type ByteStream = BoxStream<'static, io::Result<Bytes>>;

/// The bytes of an object, chunk by chunk. Some lie in a file, and whoever can send a file as it is need not read them.
pub enum Body {
    /// Chunks from wherever.
    Stream(ByteStream),
    /// A part of an open file.
    File(FileRange),
}

impl Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stream(_) => f.debug_tuple("Stream").finish_non_exhaustive(),
            Self::File(range) => f.debug_tuple("File").field(range).finish(),
        }
    }
}

impl From<ByteStream> for Body {
    fn from(stream: ByteStream) -> Self {
        Self::Stream(stream)
    }
}

impl Stream for Body {
    type Item = io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        match self.get_mut() {
            Self::Stream(stream) => stream.poll_next_unpin(context),
            Self::File(range) => range.poll_next_unpin(context),
        }
    }
}
