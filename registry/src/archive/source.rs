//! An archive that is read: a tar file, a tar stream, or the folder of an OCI layout.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use super::compression::Compression;
use super::spool::spool;
use super::tar_index::TarIndex;
use super::{Error, Result, entry_name};

/// The longest document that is read into memory.
const LARGEST_DOCUMENT: u64 = 16 * 1024 * 1024;

/// An archive whose entries can be read in any order.
#[derive(Debug)]
pub struct Archive(Source);

#[derive(Debug)]
enum Source {
    Tar(TarIndex),
    /// A folder, by its real path.
    Folder(PathBuf),
}

/// An entry that is being read.
pub(super) struct Entry {
    pub(super) size: u64,
    pub(super) content: Box<dyn Read + Send>,
}

impl Archive {
    /// Opens a tar file, compressed with gzip or zstd or not, or a folder.
    ///
    /// A compressed file is decompressed into a temporary one in the folder `temporary`.
    pub fn open(path: &Path, temporary: &Path) -> Result<Self> {
        let unreadable = |source| Error::Unreadable { path: path.to_owned(), source };
        let metadata = fs::metadata(path).map_err(unreadable)?;
        if metadata.is_dir() {
            return Ok(Self(Source::Folder(path.canonicalize().map_err(unreadable)?)));
        }
        let file = File::open(path).map_err(unreadable)?;
        let mut beginning = [0; Compression::TELLING];
        if metadata.is_file() && Compression::of(peek(&file, &mut beginning)) == Compression::None {
            return Ok(Self(Source::Tar(TarIndex::new(file)?)));
        }
        Self::read(file, temporary)
    }

    /// Reads a tar stream, compressed with gzip or zstd or not, into a temporary file in the folder `temporary`.
    pub fn read(stream: impl Read + Send, temporary: &Path) -> Result<Self> {
        Ok(Self(Source::Tar(TarIndex::new(spool(stream, temporary)?)?)))
    }

    /// The entry of that name, if there is one. An error when the name leads out of the archive.
    pub(super) fn find(&self, name: &str) -> Result<Option<Entry>> {
        let name = entry_name::normal(name)?;
        match &self.0 {
            Source::Tar(index) => {
                Ok(index.open(&name).map(|region| Entry { size: region.len(), content: Box::new(region) }))
            }
            Source::Folder(folder) => find_file(folder, &name),
        }
    }

    /// The entry of that name, which has to be there.
    pub(super) fn require(&self, name: &str) -> Result<Entry> {
        self.find(name)?.ok_or_else(|| Error::Missing(name.to_owned()))
    }

    /// The bytes of a small entry, which has to be there.
    pub(super) fn bytes(&self, name: &str) -> Result<Vec<u8>> {
        let entry = self.require(name)?;
        if entry.size > LARGEST_DOCUMENT {
            return Err(Error::invalid(name, format!("it is larger than {LARGEST_DOCUMENT} bytes")));
        }
        let mut bytes = Vec::new();
        let mut content = entry.content.take(LARGEST_DOCUMENT);
        content.read_to_end(&mut bytes).map_err(|error| Error::invalid(name, error))?;
        Ok(bytes)
    }

    /// The JSON document in an entry, if it is there.
    pub(super) fn document<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        if self.find(name)?.is_none() {
            return Ok(None);
        }
        serde_json::from_slice(&self.bytes(name)?).map(Some).map_err(|error| Error::invalid(name, error))
    }
}

/// The first bytes of the file; fewer when it is shorter or cannot be read, which the next reader will tell.
fn peek<'a>(file: &File, beginning: &'a mut [u8]) -> &'a [u8] {
    let length = file.read_at(beginning, 0).unwrap_or_default();
    &beginning[..length]
}

fn find_file(folder: &Path, name: &str) -> Result<Option<Entry>> {
    let path = folder.join(name);
    let unreadable = |source| Error::Unreadable { path: path.clone(), source };
    let real = match path.canonicalize() {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        real => real.map_err(unreadable)?,
    };
    if !real.starts_with(folder) {
        return Err(Error::ClimbingPath(name.to_owned()));
    }
    let file = File::open(&real).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    Ok(metadata.is_file().then(|| Entry { size: metadata.len(), content: Box::new(file) }))
}
