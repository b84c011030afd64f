//! Bytes that have arrived and wait for becoming a part.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

/// How much memory is taken at once for what arrives.
const BLOCK: usize = 256 * 1024;

/// Bytes that have arrived.
///
/// They are copied into blocks: a chunk of a connection may keep much more memory alive than it shows.
#[derive(Default)]
pub(super) struct Buffer {
    chunks: VecDeque<Bytes>,
    /// What comes after the chunks.
    block: BytesMut,
    pub(super) size: u64,
}

impl Buffer {
    pub(super) fn push(&mut self, mut chunk: Bytes) {
        self.size += chunk.len() as u64;
        while !chunk.is_empty() {
            if self.block.capacity() == self.block.len() {
                self.close_block();
                self.block = BytesMut::with_capacity(BLOCK);
            }
            let room = self.block.capacity() - self.block.len();
            self.block.extend_from_slice(&chunk.split_to(room.min(chunk.len())));
        }
    }

    fn close_block(&mut self) {
        let block = std::mem::take(&mut self.block).freeze();
        if !block.is_empty() {
            self.chunks.push_back(block);
        }
    }

    /// Takes the first `size` bytes, or what there is.
    pub(super) fn take(&mut self, size: u64) -> Vec<Bytes> {
        self.close_block();
        let (mut taken, mut missing) = (Vec::new(), size.min(self.size));
        self.size -= missing;
        while missing > 0 {
            let Some(mut chunk) = self.chunks.pop_front() else { break };
            if chunk.len() as u64 > missing {
                let rest = chunk.split_off(usize::try_from(missing).unwrap_or(usize::MAX));
                self.chunks.push_front(rest);
            }
            missing -= chunk.len() as u64;
            taken.push(chunk);
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_leave_the_buffer_in_their_order_and_in_any_portions() {
        let mut buffer = Buffer::default();
        for chunk in ["abc", "", "defg", "h"] {
            buffer.push(Bytes::from_static(chunk.as_bytes()));
        }
        assert_eq!(buffer.take(4).concat(), b"abcd");
        assert_eq!(buffer.size, 4);
        assert_eq!(buffer.take(9).concat(), b"efgh");
        assert!(buffer.take(1).is_empty());
    }
}
