//! Archives that cannot be read at any place, because they are compressed or come from a pipe: a copy that can.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read, Seek as _, Write as _};
use std::path::Path;

use super::compression::Compression;
use super::{Error, Result};

/// How much is copied at once.
const PIECE: usize = 256 * 1024;

/// Copies the archive, decompressed, to a file in `folder` that goes when it is closed.
pub(super) fn spool(archive: impl Read + Send, folder: &Path) -> Result<File> {
    let mut archive = BufReader::with_capacity(PIECE, archive);
    let beginning = archive.fill_buf().map_err(|source| Error::BrokenOff { bytes: 0, source })?;
    let compression = Compression::of(beginning);
    copy(&mut compression.decompress(archive), folder)
}

fn copy(archive: &mut dyn Read, folder: &Path) -> Result<File> {
    let unkept = |source| Error::Temporary { folder: folder.to_owned(), source };
    let mut file = tempfile::tempfile_in(folder).map_err(unkept)?;
    let (mut bytes, mut piece) = (0, vec![0; PIECE]);
    loop {
        match archive.read(&mut piece) {
            Ok(0) => {
                file.rewind().map_err(unkept)?;
                return Ok(file);
            }
            Ok(length) => {
                file.write_all(&piece[..length]).map_err(unkept)?;
                bytes += length as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => return Err(Error::BrokenOff { bytes, source }),
        }
    }
}
