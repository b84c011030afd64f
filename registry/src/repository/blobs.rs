//! Blobs: content that a repository has by its digest.
//!
//! A blob is visible in a repository when the repository has a link to it and the content exists. The content
//! is shared by all repositories. Manifests are content as well, and are served here too, as some clients ask
//! for them here.

mod standing;

use std::fmt;
use std::future::ready;
use std::ops::RangeInclusive;
use std::pin::pin;
use std::time::Duration;

use berth_oci::{ByteRange, Digest, RepositoryName};
use berth_storage::{Body, PresignedUrl};
use futures::{StreamExt as _, TryStreamExt as _};

pub use self::standing::BlobStanding;
use super::state::found;
use super::{Error, Repository, Result, catalog, layout};

/// How many repositories are looked through for a blob that may be anywhere.
const MOST_SOURCES: usize = 256;

/// A blob that a repository has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlobInfo {
    /// Its address.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
}

/// A blob that is being read.
pub struct BlobContent {
    /// Its address.
    pub digest: Digest,
    /// The length of the whole blob in bytes.
    pub size: u64,
    /// Offsets of the first and the last byte of the body, when a range was asked for.
    pub range: Option<RangeInclusive<u64>>,
    /// The bytes.
    pub body: Body,
}

impl fmt::Debug for BlobContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlobContent")
            .field("digest", &self.digest)
            .field("size", &self.size)
            .field("range", &self.range)
            .finish_non_exhaustive()
    }
}

/// A blob that is read from the storage itself.
#[derive(Debug)]
pub struct PresignedBlob {
    /// Which it is.
    pub blob: BlobInfo,
    /// By which URL.
    pub url: PresignedUrl,
}

/// Which part of a blob of this size a range names.
fn part(range: ByteRange, size: u64) -> Result<RangeInclusive<u64>> {
    range.resolve(size).ok_or(Error::RangeNotSatisfiable { size })
}

/// The blobs of a repository.
#[derive(Debug)]
pub struct Blobs<'a>(pub(super) &'a Repository);

impl Blobs<'_> {
    /// What is known about the blob. A client that is told so may rely on it: the blob stays at least for as long as
    /// garbage rests in quarantine.
    pub async fn head(&self, digest: &Digest) -> Result<BlobInfo> {
        self.rely_on(digest).await?.ok_or(Error::BlobUnknown(*digest))
    }

    /// The blob, or the part of it that `range` names.
    pub async fn open(&self, digest: &Digest, range: Option<ByteRange>) -> Result<BlobContent> {
        let target = self.target(digest).await?.ok_or(Error::BlobUnknown(*digest))?;
        self.open_content(digest, &target, range).await
    }

    /// The same of a blob that has just come through a mirror, which may have parted with it by now: who was given it while
    /// it came is given it to the end.
    pub async fn open_arrived(&self, digest: &Digest, range: ByteRange) -> Result<BlobContent> {
        self.open_content(digest, digest, Some(range)).await
    }

    async fn open_content(
        &self,
        digest: &Digest,
        target: &Digest,
        range: Option<ByteRange>,
    ) -> Result<BlobContent> {
        let key = layout::blob(target);
        let unknown = || Error::BlobUnknown(*digest);
        let mut bounds = range.and_then(ByteRange::bounds);
        if let Some(range) = range.filter(|_| bounds.is_none()) {
            let size = self.0.state.head(&key).await?.ok_or_else(unknown)?.size;
            let (first, last) = part(range, size)?.into_inner();
            bounds = Some(first..last + 1);
        }
        let object = found(self.0.state.store.get(&key, bounds).await)?.ok_or_else(unknown)?;
        let size = object.meta.size;
        let range = range.map(|range| part(range, size)).transpose()?;
        Ok(BlobContent { digest: *digest, size, range, body: object.body })
    }

    /// By which URL a client reads the blob from the storage itself, for `lifetime`. `None` when the storage has no such
    /// URLs, and for what is no blob here: manifests are to be opened.
    ///
    /// The client reads after this answer, and relies on it as on that of [`head`](Blobs::head).
    pub async fn presign(&self, digest: &Digest, lifetime: Duration) -> Result<Option<PresignedBlob>> {
        let state = &self.0.state;
        // The link may be about to go with the content.
        state.quarantine.rescue(digest).await?;
        let link = layout::layer(&self.0.name, digest);
        let Some(target) = state.read_link(&link).await? else { return Ok(None) };
        let meta = state.rely_on(&target).await?.ok_or(Error::BlobUnknown(*digest))?;
        let url = state.store.presigned_url(&layout::blob(&target), lifetime).await?;
        let blob = BlobInfo { digest: *digest, size: meta.size };
        Ok(url.map(|url| PresignedBlob { blob, url }))
    }

    /// Makes the blob of the repository `from` visible in this one; `None` when it is not there.
    pub async fn mount(&self, digest: &Digest, from: &RepositoryName) -> Result<Option<BlobInfo>> {
        self.0.check_writable()?;
        let source = Repository { name: from.clone(), ..self.0.clone() };
        let Some(target) = source.blobs().target(digest).await? else { return Ok(None) };
        self.link(digest, &target).await
    }

    /// Links to the content `target`, unless it is gone.
    async fn link(&self, digest: &Digest, target: &Digest) -> Result<Option<BlobInfo>> {
        let state = &self.0.state;
        let mut list = state.quarantine.list().await?;
        loop {
            let Some(meta) = state.rely_on(target).await? else { return Ok(None) };
            state.write_link(&layout::layer(&self.0.name, digest), target).await?;
            if !state.quarantine.has_changed(&mut list).await? {
                return Ok(Some(BlobInfo { digest: *digest, size: meta.size }));
            }
        }
    }

    /// Whether some repository has, or had, the content.
    pub async fn is_anywhere(&self, digest: &Digest) -> Result<bool> {
        Ok(self.0.state.head(&layout::blob(digest)).await?.is_some())
    }

    /// Makes content visible in this repository that the storage has, wherever it came from; `None` when it is not there. For
    /// a mirror, whose upstream has said that the repository has the blob: whoever asks for it otherwise could read what is not
    /// theirs.
    pub async fn adopt(&self, digest: &Digest) -> Result<Option<BlobInfo>> {
        self.0.check_writable()?;
        self.link(digest, digest).await
    }

    /// Makes the blob visible in this repository if it is in one of those that are `visible`, and returns which it was;
    /// `None` when none was found.
    ///
    /// There is no index from blobs to repositories, so a limited number of them is looked through, in the order of
    /// their names; none when nobody has the content.
    pub async fn mount_from_any(
        &self,
        digest: &Digest,
        visible: impl Fn(&RepositoryName) -> bool,
    ) -> Result<Option<(BlobInfo, RepositoryName)>> {
        self.0.check_writable()?;
        if let Some(blob) = self.rely_on(digest).await? {
            return Ok(Some((blob, self.0.name.clone())));
        }
        if self.0.state.head(&layout::blob(digest)).await?.is_none() {
            return Ok(None);
        }
        let repositories = catalog::repositories(&self.0.state, None).take(MOST_SOURCES);
        let mut sources = pin!(repositories.try_filter(|found| ready(visible(&found.name))));
        while let Some(source) = sources.try_next().await? {
            if let Some(blob) = self.mount(digest, &source.name).await? {
                return Ok(Some((blob, source.name)));
            }
        }
        Ok(None)
    }

    /// Takes the blob out of the repository. Its content goes with the next garbage collection, if nobody
    /// else has it.
    pub async fn delete(&self, digest: &Digest) -> Result<()> {
        self.0.check_deletable()?;
        let link = layout::layer(&self.0.name, digest);
        self.0.state.head(&link).await?.ok_or(Error::BlobUnknown(*digest))?;
        Ok(self.0.state.store.delete(&link).await?)
    }

    /// Looks up the blob for somebody who will rely on it.
    pub(super) async fn rely_on(&self, digest: &Digest) -> Result<Option<BlobInfo>> {
        // The link may be about to go with the content.
        self.0.state.quarantine.rescue(digest).await?;
        let Some(target) = self.target(digest).await? else { return Ok(None) };
        let meta = self.0.state.rely_on(&target).await?;
        Ok(meta.map(|meta| BlobInfo { digest: *digest, size: meta.size }))
    }

    /// The digest under which the content is kept, when the repository has a link to it.
    ///
    /// That is another one where Distribution was given a digest of SHA-512: it keeps content by SHA-256
    /// only.
    pub(super) async fn target(&self, digest: &Digest) -> Result<Option<Digest>> {
        let layer = self.0.state.read_link(&layout::layer(&self.0.name, digest)).await?;
        match layer {
            Some(target) => Ok(Some(target)),
            None => self.0.state.read_link(&layout::revision(&self.0.name, digest)).await,
        }
    }
}
