//! Writes an archive that was planned.

use std::io::{BufWriter, Read, Write};

use berth_oci::Digest;
use futures::StreamExt as _;
use tar::{Builder, EntryType, Header};
use tokio::runtime::Handle;

use super::body::VerifiedBody;
use super::image_name::ImageName;
use super::image_set::blob_entry;
use super::{Error, Plan, Progress, Result};
use crate::repository::Repository;

/// How much is written at once.
const BUFFER: usize = 256 * 1024;

/// Writes the archive as a tar to `output`, whose bytes depend on the images alone.
///
/// It blocks while the content, which `progress` is told of, streams out of the registry on `runtime`; so it must
/// not be called on one of its threads that do not block.
pub fn write(plan: &Plan, output: impl Write, runtime: &Handle, progress: &Progress) -> Result<()> {
    let mut tar = Builder::new(BufWriter::with_capacity(BUFFER, output));
    for (name, document) in &plan.documents {
        append(&mut tar, name, document.len() as u64, document.as_ref())?;
    }
    for (digest, repository) in &plan.content {
        let (size, body) = open(repository, digest, runtime, progress)?;
        append(&mut tar, &blob_entry(digest), size, body)?;
    }
    let mut output = tar.into_inner().map_err(Error::Write)?;
    output.flush().map_err(Error::Write)
}

fn open(
    repository: &Repository,
    digest: &Digest,
    runtime: &Handle,
    progress: &Progress,
) -> Result<(u64, VerifiedBody)> {
    let opened = runtime.block_on(repository.blobs().open(digest, None));
    let blob = opened.map_err(|source| {
        let name = ImageName::written(repository.name(), &(*digest).into());
        Error::Repository { name, source }
    })?;
    Ok((blob.size, VerifiedBody::new(blob.body.boxed(), *digest, runtime.clone(), progress.clone())))
}

fn append(tar: &mut Builder<impl Write>, name: &str, size: u64, content: impl Read) -> Result<()> {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o644);
    header.set_size(size);
    tar.append_data(&mut header, name, content).map_err(Error::Write)
}
