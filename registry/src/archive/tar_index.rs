//! Where the entries of a tar archive are.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use super::{Error, Result, entry_name};

/// How often one link may lead to the next.
const LONGEST_CHAIN: usize = 8;

/// A tar archive that can be read at any place.
#[derive(Debug)]
pub(super) struct TarIndex {
    file: Arc<File>,
    entries: HashMap<String, Member>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Member {
    File { offset: u64, size: u64 },
    Link { target: String },
}

/// The bytes of one entry.
#[derive(Debug)]
pub(super) struct Region {
    file: Arc<File>,
    offset: u64,
    remaining: u64,
}

impl TarIndex {
    /// Reads the headers of the archive, and makes sure that all of its content is there.
    pub(super) fn new(file: File) -> Result<Self> {
        let length = file.metadata().map_err(Error::NotTar)?.len();
        let (mut entries, mut last) = (HashMap::new(), None);
        let mut archive = tar::Archive::new(&file);
        let unreadable = |source, last: &Option<String>| match last.clone() {
            None => Error::NotTar(source),
            Some(entry) => Error::Damaged { entry, source },
        };
        let headers = archive.entries_with_seek().map_err(Error::NotTar)?;
        for header in headers {
            let entry = header.map_err(|source| unreadable(source, &last))?;
            let Some((name, member)) = read(&entry)? else { continue };
            if let Member::File { offset, size } = &member
                && offset.checked_add(*size).is_none_or(|end| end > length)
            {
                return Err(Error::Truncated { entry: name });
            }
            last = Some(name.clone());
            entries.insert(name, member);
        }
        Ok(Self { file: Arc::new(file), entries })
    }

    /// The bytes of an entry, behind links.
    pub(super) fn open(&self, name: &str) -> Option<Region> {
        let mut name = name;
        for _ in 0..LONGEST_CHAIN {
            match self.entries.get(name)? {
                Member::Link { target } => name = target,
                Member::File { offset, size } => {
                    return Some(Region { file: Arc::clone(&self.file), offset: *offset, remaining: *size });
                }
            }
        }
        None
    }
}

/// What a header tells of a file or a link. Other entries are of no use, nor are names that are not text.
fn read<R: Read>(entry: &tar::Entry<'_, R>) -> Result<Option<(String, Member)>> {
    let kind = entry.header().entry_type();
    let Ok(name) = String::from_utf8(entry.path_bytes().into_owned()) else { return Ok(None) };
    let name = entry_name::normal(&name)?;
    let link = || entry.link_name_bytes().and_then(|target| String::from_utf8(target.into_owned()).ok());
    let member = match kind {
        kind if kind.is_file() || kind.is_contiguous() => {
            Some(Member::File { offset: entry.raw_file_position(), size: entry.size() })
        }
        kind if kind.is_hard_link() => match link() {
            Some(target) => Some(Member::Link { target: entry_name::normal(&target)? }),
            None => None,
        },
        kind if kind.is_symlink() => match link() {
            Some(target) => Some(Member::Link { target: entry_name::beside(&name, &target)? }),
            None => None,
        },
        _ => None,
    };
    Ok(member.map(|member| (name, member)))
}

impl Region {
    /// How many bytes are left.
    pub(super) fn len(&self) -> u64 {
        self.remaining
    }
}

impl Read for Region {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len().min(usize::try_from(self.remaining).unwrap_or(usize::MAX));
        let length = self.file.read_at(&mut buffer[..wanted], self.offset)?;
        if length == 0 && wanted > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.offset += length as u64;
        self.remaining -= length as u64;
        Ok(length)
    }
}
