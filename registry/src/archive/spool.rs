//! Archives that cannot be read at any place, because they are compressed or come from a pipe: a copy that can.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek as _, Write as _};

use flate2::bufread::MultiGzDecoder;

use super::{Error, Result};

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// How much is copied at once.
const PIECE: usize = 256 * 1024;

/// How the bytes of an archive are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Compression {
    /// The compression of what begins so.
    pub(super) fn of(beginning: &[u8]) -> Self {
        if beginning.starts_with(&GZIP) {
            Self::Gzip
        } else if beginning.starts_with(&ZSTD) {
            Self::Zstd
        } else {
            Self::None
        }
    }
}

/// Copies the archive, decompressed, to a file that goes when it is closed.
pub(super) fn spool(archive: impl Read) -> Result<File> {
    let mut archive = BufReader::with_capacity(PIECE, archive);
    let beginning = archive.fill_buf().map_err(|source| Error::BrokenOff { bytes: 0, source })?;
    match Compression::of(beginning) {
        Compression::None => copy(archive),
        Compression::Gzip => copy(MultiGzDecoder::new(archive)),
        Compression::Zstd => Err(Error::Zstd),
    }
}

fn copy(mut archive: impl Read) -> Result<File> {
    let mut file = tempfile::tempfile().map_err(Error::Temporary)?;
    let (mut bytes, mut piece) = (0, vec![0; PIECE]);
    loop {
        match archive.read(&mut piece) {
            Ok(0) => {
                file.rewind().map_err(Error::Temporary)?;
                return Ok(file);
            }
            Ok(length) => {
                file.write_all(&piece[..length]).map_err(Error::Temporary)?;
                bytes += length as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => return Err(Error::BrokenOff { bytes, source }),
        }
    }
}
