//! Pieces of files that leave by `sendfile(2)`: the kernel hands its page cache to the socket, and no byte is copied.
//!
//! HTTP is spoken by hyper, to which a body is bytes. So a body yields a *stand-in* for each piece: as many bytes of
//! memory that is reserved for this and for nothing else, whose content is nobody's. Its way:
//!
//! 1. The service, which learns of a [`Files`] by the [`Arrival`](super::Arrival) of a request, leaves a piece there and yields the
//!    stand-in that it gets ([`Files::stand_in`]).
//! 2. What comes out of the service must be that stand-in: `Files::pass` sees to it, for every chunk of the body. It
//!    goes on as a `Chunk`, from which nobody can copy a byte.
//! 3. The socket knows a stand-in by its address, and sends the piece in its place (`FileStream`).
//!
//! Answers follow one another on a connection of HTTP/1.1, and so do pieces. Each step compares what it has with what was
//! left, and ends the connection when they differ: a client never gets a stand-in, nor the piece of another answer. Only
//! a connection that can send files gives a `Files` to its requests; TLS and HTTP/2 have to read bodies.

mod chunk;
mod stand_in;
mod stream;

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use berth_storage::FilePiece;
use bytes::{Buf, Bytes};

pub(super) use self::{chunk::Chunk, stream::FileStream};
use super::activity::Activity;

/// The pieces of files that a connection is about to send; an extension of its requests for content.
#[derive(Clone, Debug, Default)]
pub struct Files {
    pieces: Arc<Mutex<Pieces>>,
    activity: Arc<Activity>,
}

#[derive(Debug, Default)]
struct Pieces {
    /// What the service has left, until its stand-in has come out of it.
    left: VecDeque<FilePiece>,
    /// What the socket sends next.
    passed: VecDeque<FilePiece>,
}

impl Files {
    /// The longest piece that can be sent, in bytes: so much of an answer counts as sent when it is handed over.
    pub const LONGEST: usize = stand_in::LENGTH;

    /// Of a connection, whose activity hears of each part that is sent: a piece is long, and a client may be slow.
    pub(super) fn of(activity: &Arc<Activity>) -> Self {
        Self { pieces: Arc::default(), activity: Arc::clone(activity) }
    }

    /// Leaves a piece for the socket, and returns what the body has to yield in its place.
    pub fn stand_in(&self, piece: FilePiece) -> Bytes {
        let stand_in = stand_in::of(piece.length);
        self.lock().left.push_back(piece);
        Bytes::from_static(stand_in)
    }

    /// Passes a chunk of an answer on to the connection: bytes as they are, or a piece of a file.
    pub(super) fn pass<D: Buf>(&self, data: D) -> io::Result<Chunk<D>> {
        let mut pieces = self.lock();
        let is_stand_in = stand_in::is_one(data.chunk());
        match pieces.left.pop_front() {
            None if !is_stand_in => Ok(Chunk::Bytes(data)),
            Some(piece) if is_stand_in && piece.length == data.remaining() as u64 => {
                let chunk = Chunk::Piece(stand_in::of(piece.length));
                pieces.passed.push_back(piece);
                Ok(chunk)
            }
            _ => Err(io::Error::other("the body of an answer is not what was left for it")),
        }
    }

    /// What the socket sends instead of a stand-in of which so many bytes are left.
    fn next(&self, length: usize) -> io::Result<FilePiece> {
        let piece = self.lock().passed.front().filter(|piece| piece.length == length as u64).cloned();
        piece.ok_or_else(|| io::Error::other("a stand-in has come to the socket without its piece"))
    }

    /// Takes note that the socket has taken so many bytes of what it sends next.
    fn advance(&self, sent: usize) {
        self.activity.note_progress();
        let mut pieces = self.lock();
        if let Some(piece) = pieces.passed.front_mut() {
            piece.offset += sent as u64;
            piece.length = piece.length.saturating_sub(sent as u64);
            if piece.length == 0 {
                pieces.passed.pop_front();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Pieces> {
        self.pieces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(length: u64) -> FilePiece {
        FilePiece { file: Arc::new(tempfile::tempfile().unwrap()), offset: 0, length }
    }

    #[test]
    fn bytes_pass_where_no_piece_was_left() {
        let chunk = Files::default().pass(Bytes::from_static(b"hello")).unwrap();
        assert_eq!(chunk.chunk(), b"hello");
    }

    #[test]
    fn a_piece_passes_in_the_place_of_its_stand_in() {
        let files = Files::default();
        for length in [1, 5000, Files::LONGEST] {
            let chunk = files.pass(files.stand_in(piece(length as u64))).unwrap();
            assert_eq!((chunk.remaining(), files.next(length).unwrap().length), (length, length as u64));
            files.advance(length);
        }
    }

    #[test]
    fn a_copy_of_a_stand_in_does_not_pass() {
        let files = Files::default();
        let copy = files.stand_in(piece(10)).to_vec();
        files.pass(Bytes::from(copy)).unwrap_err();
    }

    #[test]
    fn a_part_of_a_stand_in_does_not_pass() {
        let files = Files::default();
        let part = files.stand_in(piece(10)).slice(5..);
        files.pass(part).unwrap_err();
    }

    #[test]
    fn a_stand_in_for_nothing_does_not_pass() {
        let (files, other) = (Files::default(), Files::default());
        let stand_in = other.stand_in(piece(10));
        files.pass(stand_in.clone()).unwrap_err();
        other.pass(stand_in.clone()).unwrap();
        other.pass(stand_in).unwrap_err();
    }

    #[test]
    fn the_socket_sends_a_piece_only_for_a_stand_in_of_its_length() {
        let files = Files::default();
        files.next(10).unwrap_err();
        files.pass(files.stand_in(piece(10))).unwrap();
        files.next(9).unwrap_err();
        files.advance(4);
        assert_eq!(files.next(6).unwrap().offset, 4);
        files.advance(6);
        files.next(6).unwrap_err();
    }
}
