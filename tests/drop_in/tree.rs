//! A folder's content, for comparing it with what it was or with another one.

use anyhow::Result;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The files of a folder by their path in it, each with a hash of its content.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Tree(BTreeMap<PathBuf, Vec<u8>>);

impl Tree {
    pub(crate) fn of(root: &Path) -> Result<Self> {
        let mut files = BTreeMap::new();
        let mut ahead = vec![root.to_owned()];
        while let Some(folder) = ahead.pop() {
            for entry in fs::read_dir(folder)? {
                let path = entry?.path();
                if path.is_dir() {
                    ahead.push(path);
                } else {
                    files.insert(path.strip_prefix(root)?.to_owned(), hash(&fs::read(&path)?));
                }
            }
        }
        Ok(Self(files))
    }

    /// The tree without the files that have this word in their path.
    pub(crate) fn without(mut self, word: &str) -> Self {
        self.0.retain(|path, _| !path.components().any(|part| part.as_os_str() == word));
        self
    }

    /// How many files it has.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// One line for each file that is not the same in both: `-` where only this one has it, `+` where only the other
    /// has it, `~` where its content differs.
    pub(crate) fn differences(&self, other: &Self) -> Vec<String> {
        let gone = self.0.iter().filter_map(|(path, hash)| match other.0.get(path) {
            None => Some(format!("- {}", path.display())),
            Some(theirs) => (theirs != hash).then(|| format!("~ {}", path.display())),
        });
        let new = other.0.keys().filter(|path| !self.0.contains_key(*path));
        gone.chain(new.map(|path| format!("+ {}", path.display()))).collect()
    }
}

fn hash(content: &[u8]) -> Vec<u8> {
    Sha256::digest(content).to_vec()
}
