//! A body in chunks, of which only the end is looked for.

/// Where in such a body one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chunks {
    /// In the line with the size of a chunk, of which this is what has come.
    Size(u64),
    /// In the rest of that line.
    Line(u64),
    /// In a chunk and the line end after it; so much is left.
    Content(u64),
    /// After the last chunk, in the empty line; so much of that is left.
    End(u64),
}

impl Chunks {
    /// The beginning of a body.
    pub(super) const START: Self = Self::Size(0);

    /// Passes over what has come.
    pub(super) fn pass(&mut self, mut bytes: &[u8]) {
        while let [first, rest @ ..] = bytes {
            bytes = if let Self::Content(left) = *self {
                self.pass_content(left, bytes)
            } else {
                *self = self.after(*first);
                rest
            };
        }
    }

    /// Whether the body has come to its end.
    pub(super) fn is_over(self) -> bool {
        self == Self::End(0)
    }

    fn pass_content<'a>(&mut self, left: u64, bytes: &'a [u8]) -> &'a [u8] {
        let passed = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let left = left - passed as u64;
        *self = if left == 0 { Self::START } else { Self::Content(left) };
        &bytes[passed..]
    }

    fn after(self, byte: u8) -> Self {
        let digit = char::from(byte).to_digit(16).map(u64::from);
        match (self, byte, digit) {
            (Self::Size(0) | Self::Line(0), b'\n', _) => Self::End(2),
            (Self::Size(size) | Self::Line(size), b'\n', _) => Self::Content(size + 2),
            (Self::Size(size), _, Some(digit)) => Self::Size(size * 16 + digit),
            (Self::Size(size) | Self::Line(size), ..) => Self::Line(size),
            (Self::End(left), ..) => Self::End(left.saturating_sub(1)),
            (content @ Self::Content(_), ..) => content,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_ends_after_the_last_chunk_however_it_is_cut() {
        let body = b"4\r\nwiki\r\nA;x=1\r\n0123456789\r\n0\r\n\r\n";
        for cut in 0..body.len() {
            let mut chunks = Chunks::START;
            chunks.pass(&body[..cut]);
            assert!(!chunks.is_over(), "{cut}");
            chunks.pass(&body[cut..]);
            assert!(chunks.is_over(), "{cut}");
        }
    }
}
