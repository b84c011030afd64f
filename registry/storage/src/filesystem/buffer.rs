//! Buffers that are used again and again: a fresh one costs more than what is read into it, because the kernel has to
//! find and to clear its pages, and an allocator that keeps such buffers by the connection keeps too many.

use std::io;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

/// How much fits into one.
pub(super) const LENGTH: usize = 128 << 10;

/// How many are kept for later.
const MOST_FREE: usize = 32;

static FREE: Mutex<Vec<Box<[u8]>>> = Mutex::new(Vec::new());

/// A buffer that others get when it is dropped.
struct Buffer {
    room: Box<[u8]>,
    filled: usize,
}

impl Buffer {
    fn new() -> Self {
        let free = FREE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Self { room: free.unwrap_or_else(|| vec![0; LENGTH].into()), filled: 0 }
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.room[..self.filled]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < MOST_FREE {
            free.push(std::mem::take(&mut self.room));
        }
    }
}

/// What `read` puts into a buffer of at most `length` bytes, and of at most [`LENGTH`].
///
/// What fills less than a whole buffer gets one of just its size: it may be kept for long.
pub(super) fn fill(length: usize, read: impl FnOnce(&mut [u8]) -> io::Result<usize>) -> io::Result<Bytes> {
    if length < LENGTH {
        let mut room = vec![0; length];
        let filled = read(&mut room)?;
        room.truncate(filled);
        return Ok(room.into());
    }
    let mut buffer = Buffer::new();
    buffer.filled = read(&mut buffer.room)?;
    Ok(Bytes::from_owner(buffer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_filled_stays_as_it_is_until_it_is_dropped() {
        let fill_with = |byte| {
            fill(LENGTH, |room| {
                room[..3].fill(byte);
                Ok(3)
            })
            .unwrap()
        };
        let (first, second) = (fill_with(1), fill_with(2));
        assert_eq!((&first[..], &second[..]), (&[1; 3][..], &[2; 3][..]));
        drop(first);
        assert_eq!((&fill_with(3)[..], &second[..]), (&[3; 3][..], &[2; 3][..]));
    }

    #[test]
    fn a_small_piece_gets_no_more_room_than_it_needs() {
        let small = fill(5, |room| {
            assert_eq!(room.len(), 5);
            Ok(2)
        })
        .unwrap();
        assert_eq!(&small[..], [0; 2]);
    }
}
