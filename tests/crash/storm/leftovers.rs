//! What interrupted writes leave in a storage: temporary files, and folders without anything in them.

use anyhow::Result;
use std::fs::{self, DirEntry, File};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// All leftovers in the folder and below it.
pub(crate) fn find(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    let mut leftovers = if entries.is_empty() { vec![folder.to_owned()] } else { Vec::new() };
    for entry in entries {
        if entry.file_type()?.is_dir() {
            leftovers.append(&mut find(&entry.path())?);
        } else if is_temporary(&entry) {
            leftovers.push(entry.path());
        }
    }
    Ok(leftovers)
}

/// Makes everything that may be a leftover as old as that.
pub(crate) fn date(folder: &Path, time: SystemTime) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let is_folder = entry.file_type()?.is_dir();
        if is_folder {
            date(&entry.path(), time)?;
        }
        if is_folder || is_temporary(&entry) {
            File::open(entry.path())?.set_modified(time)?;
        }
    }
    Ok(())
}

fn is_temporary(entry: &DirEntry) -> bool {
    entry.path().extension().is_some_and(|extension| extension == "tmp")
}
