//! The one layer of an image: a tar of its files, with fixed times and owners, compressed with gzip.

use super::recipe::{Entry, Recipe};
use crate::digest::sha256;
use anyhow::{Context, Result};
use flate2::{Compression, GzBuilder};
use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use tar::{Builder, EntryType, Header};

/// A packed layer.
#[derive(Debug)]
pub(super) struct Layer {
    /// The tar itself.
    pub(super) tar: Vec<u8>,
    /// The tar compressed, as registries keep it.
    pub(super) compressed: Vec<u8>,
    /// Digest of the tar.
    pub(super) diff_id: String,
    /// Digest of the compressed tar.
    pub(super) digest: String,
}

impl Layer {
    pub(super) fn pack(recipe: &Recipe) -> Result<Self> {
        let mut tar = Builder::new(Vec::new());
        for parent in parents(recipe) {
            append(&mut tar, &parent, EntryType::Directory, 0o755, 0, &[])?;
        }
        for (path, entry) in &recipe.entries {
            append_entry(&mut tar, path, entry).with_context(|| format!("cannot pack {path}"))?;
        }
        let tar = tar.into_inner()?;
        let compressed = compress(&tar)?;
        Ok(Self { diff_id: sha256(&tar), digest: sha256(&compressed), tar, compressed })
    }
}

/// The folders above the entries, each before what is in it, without those that the recipe lists itself.
fn parents(recipe: &Recipe) -> BTreeSet<String> {
    let above = |path: &str| {
        let ends: Vec<usize> = path.match_indices('/').map(|(at, _)| at).collect();
        ends.into_iter().map(|end| path[..end].to_owned()).collect::<Vec<_>>()
    };
    let all = recipe.entries.keys().flat_map(|path| above(path));
    all.filter(|parent| !recipe.entries.contains_key(parent)).collect()
}

fn append_entry(tar: &mut Builder<Vec<u8>>, path: &str, entry: &Entry) -> Result<()> {
    match entry {
        Entry::Program(source) => append(tar, path, EntryType::Regular, 0o755, 0, &read(source)?),
        Entry::File(source) => append(tar, path, EntryType::Regular, 0o644, 0, &read(source)?),
        Entry::Text(content) => append(tar, path, EntryType::Regular, 0o644, 0, content.as_bytes()),
        Entry::Directory(owner) => append(tar, path, EntryType::Directory, 0o755, *owner, &[]),
        Entry::Symlink(target) => {
            let mut header = header(EntryType::Symlink, 0o777, 0, 0);
            Ok(tar.append_link(&mut header, path, target)?)
        }
    }
}

fn read(source: &std::path::Path) -> Result<Vec<u8>> {
    fs::read(source).with_context(|| format!("cannot read {}", source.display()))
}

fn append(
    tar: &mut Builder<Vec<u8>>,
    path: &str,
    kind: EntryType,
    mode: u32,
    owner: u64,
    content: &[u8],
) -> Result<()> {
    let mut header = header(kind, mode, owner, content.len() as u64);
    Ok(tar.append_data(&mut header, path, content)?)
}

fn header(kind: EntryType, mode: u32, owner: u64, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(owner);
    header.set_gid(owner);
    header.set_mtime(0);
    header.set_size(size);
    header
}

fn compress(tar: &[u8]) -> Result<Vec<u8>> {
    let mut gzip = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    gzip.write_all(tar)?;
    Ok(gzip.finish()?)
}
