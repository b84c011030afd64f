//! What hyper gets to send.

use std::io::IoSlice;

use bytes::Buf;

/// A chunk of an answer.
#[derive(Debug)]
pub(in crate::server) enum Chunk<D> {
    /// Bytes that are sent as they are.
    Bytes(D),
    /// What is left of the stand-in for a piece of a file. It shows itself only where slices are gathered to be written;
    /// to whoever would copy it, it has no bytes.
    Piece(&'static [u8]),
}

impl<D: Buf> Buf for Chunk<D> {
    fn remaining(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.remaining(),
            Self::Piece(rest) => rest.len(),
        }
    }

    fn chunk(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes.chunk(),
            Self::Piece(_) => &[],
        }
    }

    fn advance(&mut self, count: usize) {
        match self {
            Self::Bytes(bytes) => bytes.advance(count),
            Self::Piece(rest) => *rest = &rest[count..],
        }
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.chunks_vectored(slices),
            Self::Piece(rest) => rest.chunks_vectored(slices),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_can_be_gathered_but_not_copied() {
        let mut piece: Chunk<&[u8]> = Chunk::Piece(&[1, 2, 3]);
        piece.advance(1);
        let mut slices = [IoSlice::new(&[]); 2];
        assert_eq!((piece.chunks_vectored(&mut slices), &slices[0][..]), (1, &[2, 3][..]));
        assert_eq!((piece.remaining(), piece.chunk().len()), (2, 0));
    }
}
