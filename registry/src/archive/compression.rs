//! How archives, and layers in them, are compressed.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// How much is read at once.
const PIECE: usize = 256 * 1024;

/// A form of compression that is told by the first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Compression {
    /// How many bytes tell it.
    pub(super) const TELLING: usize = 4;

    /// The compression of what begins so.
    pub(super) fn of(beginning: &[u8]) -> Self {
        if beginning.starts_with(&GZIP) {
            Self::Gzip
        } else if beginning.starts_with(&ZSTD) || is_skippable(beginning) {
            Self::Zstd
        } else {
            Self::None
        }
    }

    /// What `content` is without its compression.
    pub(super) fn decompress<'a>(self, content: impl Read + Send + 'a) -> Box<dyn Read + Send + 'a> {
        let content = BufReader::with_capacity(PIECE, content);
        match self {
            Self::None => Box::new(content),
            Self::Gzip => Box::new(MultiGzDecoder::new(content)),
            Self::Zstd => Box::new(ZstdFrames { source: content, frame: FrameDecoder::new() }),
        }
    }
}

/// Whether a frame of zstd without content begins so (RFC 8878, section 3.1.2); some tools write one first.
fn is_skippable(beginning: &[u8]) -> bool {
    matches!(beginning, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

/// The content of all frames of zstd that follow each other: tools that compress with several threads write many.
struct ZstdFrames<R> {
    source: R,
    frame: FrameDecoder,
}

impl<R: BufRead> ZstdFrames<R> {
    /// Begins the next frame with content; `false` when there is none.
    fn begin(&mut self) -> io::Result<bool> {
        while !self.source.fill_buf()?.is_empty() {
            match self.frame.init(&mut self.source) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    io::copy(&mut self.source.by_ref().take(length.into()), &mut io::sink())?;
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
        Ok(false)
    }
}

impl<R: BufRead> Read for ZstdFrames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.frame.can_collect() == 0 {
            if !self.frame.is_finished() {
                let one = BlockDecodingStrategy::UptoBlocks(1);
                self.frame.decode_blocks(&mut self.source, one).map_err(io::Error::other)?;
            } else if !self.begin()? {
                return Ok(0);
            }
        }
        self.frame.read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    fn decompressed(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        Compression::of(bytes).decompress(bytes).read_to_end(&mut content)?;
        Ok(content)
    }

    fn zstd(content: &[u8]) -> Vec<u8> {
        compress_to_vec(content, CompressionLevel::Fastest)
    }

    #[test]
    fn frames_of_zstd_follow_each_other_and_empty_ones_are_skipped() {
        let large = b"0123456789".repeat(100_000);
        let skipped = [b"\x53\x2a\x4d\x18\x03\0\0\0...", &zstd(b"")[..]].concat();
        let frames = [skipped.clone(), zstd(b"one, "), skipped, zstd(&large)].concat();
        assert_eq!(decompressed(&frames).unwrap(), [b"one, ", &large[..]].concat());
        assert!(decompressed(&frames[..frames.len() - 5]).is_err(), "the last frame is cut off");
        assert!(decompressed(&[&frames[..], b"more"].concat()).is_err(), "what follows is no frame");
    }

    #[test]
    fn what_begins_in_another_way_is_not_compressed() {
        for plain in [&b""[..], b"\x28", b"\x28\xb5\x2f", b"\x1f", b"plain", b"\x5f\x2a\x4d\x19"] {
            assert_eq!(Compression::of(plain), Compression::None);
            assert_eq!(decompressed(plain).unwrap(), plain);
        }
        assert_eq!(Compression::of(b"\x5f\x2a\x4d\x18"), Compression::Zstd);
    }
}
