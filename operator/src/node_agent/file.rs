//! One file, as runtimes may read it at any time: they find the old one or the new one whole.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Write as _},
    path::Path,
};

/// What the names of files end with that are being written.
const UNFINISHED: &str = ".unfinished";

/// What is in it; `None` if there is none.
pub(super) fn content(file: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        // Nothing that the agent writes is like that.
        Err(error) if error.kind() == ErrorKind::InvalidData => Ok(Some(String::new())),
        read => read.map(Some),
    }
}

/// Replaces the file `name` of a folder by renaming, and tells whether there was anything to write.
pub(super) fn replace(folder: &Path, name: &str, text: &str) -> io::Result<bool> {
    let file = folder.join(name);
    if content(&file)?.as_deref() == Some(text) {
        return Ok(false);
    }
    let unfinished = folder.join(format!("{name}{UNFINISHED}"));
    let mut writing = File::create(&unfinished)?;
    writing.write_all(text.as_bytes())?;
    writing.sync_all()?;
    fs::rename(&unfinished, &file)?;
    Ok(true)
}

/// Removes the file `name` of a folder, with what a crash may have left of it, and tells whether there was one.
pub(super) fn remove(folder: &Path, name: &str) -> io::Result<bool> {
    remove_one(&folder.join(format!("{name}{UNFINISHED}")))?;
    remove_one(&folder.join(name))
}

fn remove_one(file: &Path) -> io::Result<bool> {
    match fs::remove_file(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        removed => removed.map(|()| true),
    }
}
