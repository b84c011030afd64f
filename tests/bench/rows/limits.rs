//! What no push can be faster than: the hash of its content, and the writing of its file.

use super::upload::Layer;
use anyhow::Result;
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::hint::black_box;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::NamedTempFile;

/// How much is written at once.
const WRITE: usize = 1 << 20;

/// How long one core takes to hash a layer.
pub(super) fn hash(layer: &Layer) -> Duration {
    let (start, mut hasher) = (Instant::now(), Sha256::new());
    layer.pieces().iter().for_each(|piece| hasher.update(piece));
    black_box(hasher.finalize());
    start.elapsed()
}

/// How long it takes to write a file with its content, and to know that it is on the disk.
pub(super) fn write(layer: &Layer, folder: &Path) -> Result<Duration> {
    let named = NamedTempFile::new_in(folder)?;
    let (start, mut file): (_, &File) = (Instant::now(), named.as_file());
    for piece in layer.pieces() {
        piece.chunks(WRITE).try_for_each(|part| file.write_all(part))?;
    }
    file.sync_all()?;
    Ok(start.elapsed())
}
