//! The room on the disk below a store.

use std::{io, path::Path};

use rustix::fs::statvfs;
use rustix::io::Errno;

use crate::Space;

/// The room on the disk that holds `root`, or will hold it when it is made.
pub(super) fn of(root: &Path) -> io::Result<Space> {
    // A relative path ends with the empty one, which stands for the working directory.
    let existing = || root.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("."));
    let disk = match statvfs(root) {
        Err(Errno::NOENT) => statvfs(existing()),
        found => found,
    }?;
    Ok(Space {
        free: disk.f_bavail.saturating_mul(disk.f_frsize),
        size: disk.f_blocks.saturating_mul(disk.f_frsize),
    })
}
