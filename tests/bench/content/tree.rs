//! The files and folders of Distribution's storage.

use super::image::{Blob, Image, hex};
use anyhow::Result;
use berth_tests::digest::sha256;
use sha2::{Digest as _, Sha256};
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The storage of a registry.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    root: PathBuf,
}

impl Tree {
    /// The one below a folder.
    pub(crate) fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Writes a blob.
    pub(crate) fn write(&self, content: &[u8]) -> Result<Blob> {
        let blob = Blob { digest: sha256(content), size: content.len() as u64 };
        write(&self.root.join(blob.file()), content)?;
        Ok(blob)
    }

    /// Writes a blob of random bytes, which need not fit into memory, onto the disk: what is read next is not to share that with it.
    pub(crate) fn write_random(&self, size: u64) -> Result<Blob> {
        let (mut hasher, mut piece, mut left) = (Sha256::new(), vec![0; 1 << 20], size);
        let unnamed = self.root.join("unnamed");
        fs::create_dir_all(&self.root)?;
        let mut file = BufWriter::new(File::create(&unnamed)?);
        while left > 0 {
            let length = usize::try_from(left)?.min(piece.len());
            fastrand::fill(&mut piece[..length]);
            hasher.update(&piece[..length]);
            file.write_all(&piece[..length])?;
            left -= length as u64;
        }
        file.flush()?;
        let blob = Blob { digest: hex("sha256:", &hasher.finalize()), size };
        let path = self.root.join(blob.file());
        fs::create_dir_all(path.parent().unwrap_or(&path))?;
        fs::rename(unnamed, path)?;
        file.get_ref().sync_all()?;
        Ok(blob)
    }

    /// Writes the blobs of an image and enters them in a repository, with the manifest.
    pub(crate) fn enter(&self, repository: &str, image: &Image) -> Result<()> {
        for content in image.contents() {
            self.write(content)?;
        }
        for blob in image.blobs() {
            self.link_layer(repository, blob)?;
        }
        let manifest = image.manifest_blob();
        write(&self.root.join(manifest.file()), &image.manifest)?;
        self.link(repository, &format!("_manifests/revisions/sha256/{}", manifest.hex()), &manifest.digest)
    }

    /// Enters a blob in a repository.
    pub(crate) fn link_layer(&self, repository: &str, blob: &Blob) -> Result<()> {
        self.link(repository, &format!("_layers/sha256/{}", blob.hex()), &blob.digest)
    }

    /// Lets a tag name a manifest.
    pub(crate) fn tag(&self, repository: &str, tag: &str, manifest: &Blob) -> Result<()> {
        let folder = format!("_manifests/tags/{tag}");
        self.link(repository, &format!("{folder}/current"), &manifest.digest)?;
        self.link(repository, &format!("{folder}/index/sha256/{}", manifest.hex()), &manifest.digest)
    }

    /// Whether a blob is there.
    pub(crate) fn has(&self, blob: &Blob) -> bool {
        self.root.join(blob.file()).exists()
    }

    fn link(&self, repository: &str, folder: &str, digest: &str) -> Result<()> {
        let folder = self.root.join("docker/registry/v2/repositories").join(repository).join(folder);
        write(&folder.join("link"), digest.as_bytes())
    }
}

/// Writes a file as one of yesterday: what has just come is no garbage yet.
fn write(path: &Path, content: &[u8]) -> Result<()> {
    fs::create_dir_all(path.parent().unwrap_or(path))?;
    let mut file = File::create(path)?;
    file.write_all(content)?;
    Ok(file.set_modified(SystemTime::now() - Duration::from_hours(24))?)
}
