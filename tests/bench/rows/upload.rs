//! How things are pushed: as docker does, in three requests, or in one.

use crate::content::{Blob, Image, MANIFEST};
use crate::load::Client;
use anyhow::{Result, ensure};
use berth_tests::digest::sha256;
use sha2::{Digest as _, Sha256};
use std::time::{Duration, Instant};

/// How large the piece is that a layer consists of.
const PIECE: u64 = 64 << 20;
/// How large a part of an upload to object storage is.
const PART: usize = 16 << 20;
const BYTES: &str = "Content-Type: application/octet-stream";

/// How a blob is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// `POST`, `PATCH` and `PUT`.
    Docker,
    /// One `POST` with the digest.
    Single,
}

/// A layer that nobody has pushed before, made of the same random piece again and again.
#[derive(Debug)]
pub(super) struct Layer {
    piece: Vec<u8>,
    count: u64,
    digest: String,
}

impl Layer {
    /// A layer of about this size.
    pub(super) fn random(size: u64) -> Result<Self> {
        let mut piece = vec![0; usize::try_from(size.min(PIECE))?];
        fastrand::fill(&mut piece);
        let (count, mut hasher) = (size.div_ceil(PIECE), Sha256::new());
        (0..count).for_each(|_| hasher.update(&piece));
        let digest =
            hasher.finalize().iter().fold("sha256:".to_owned(), |text, byte| text + &format!("{byte:02x}"));
        Ok(Self { piece, count, digest })
    }

    pub(super) fn size(&self) -> u64 {
        self.count * self.piece.len() as u64
    }

    /// The pieces that it consists of.
    pub(super) fn pieces(&self) -> Vec<&[u8]> {
        (0..self.count).map(|_| self.piece.as_slice()).collect()
    }

    /// The same in parts as large as object storage likes them.
    pub(super) fn parts(&self) -> Vec<&[u8]> {
        self.pieces().into_iter().flat_map(|piece| piece.chunks(PART)).collect()
    }

    /// Pushes it, and says how long that took.
    pub(super) fn push(&self, client: &mut Client, repository: &str, way: Way) -> Result<Duration> {
        let start = Instant::now();
        push(client, repository, &self.digest, &self.pieces(), way)?;
        Ok(start.elapsed())
    }
}

/// Pushes what a blob consists of.
fn push(client: &mut Client, repository: &str, digest: &str, content: &[&[u8]], way: Way) -> Result<()> {
    let uploads = format!("/v2/{repository}/blobs/uploads/");
    if way == Way::Single {
        let answer = client.send("POST", &format!("{uploads}?digest={digest}"), &[BYTES], content)?;
        return answer.expect(201).map(drop);
    }
    let begun = client.send("POST", &uploads, &[], &[])?.expect(202)?;
    let sent = client.send("PATCH", &begun.location()?, &[BYTES], content)?.expect(202)?;
    let location = sent.location()?;
    let separator = if location.contains('?') { '&' } else { '?' };
    let end = format!("{location}{separator}digest={digest}");
    client.send("PUT", &end, &[], &[])?.expect(201).map(drop)
}

/// Pushes an image as docker does: what is there is not sent, but nothing is.
pub(super) fn push_image(
    client: &mut Client,
    repository: &str,
    tag: &str,
    image: &Image,
    way: Way,
) -> Result<()> {
    for (blob, content) in image.blobs().iter().zip(image.contents()) {
        client.send("HEAD", &blob.target(repository).api, &[], &[])?.expect(404)?;
        push(client, repository, &blob.digest, &[content], way)?;
    }
    put_manifest(client, repository, tag, image)
}

/// Pushes the manifest alone.
pub(super) fn put_manifest(client: &mut Client, repository: &str, tag: &str, image: &Image) -> Result<()> {
    let path = format!("/v2/{repository}/manifests/{tag}");
    let answer = client
        .send("PUT", &path, &[&format!("Content-Type: {MANIFEST}")], &[&image.manifest])?
        .expect(201)?;
    let digest = answer.header("docker-content-digest:")?;
    ensure!(digest == image.manifest_blob().digest, "another manifest was stored: {digest}");
    Ok(())
}

/// Pushes a blob whose content is in memory.
pub(super) fn push_blob(client: &mut Client, repository: &str, content: &[u8]) -> Result<Blob> {
    let digest = sha256(content);
    push(client, repository, &digest, &[content], Way::Docker)?;
    Ok(Blob { digest, size: content.len() as u64 })
}
