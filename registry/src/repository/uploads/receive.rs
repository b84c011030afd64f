//! One upload: it receives bodies, remembers its hash, and becomes a blob.

use std::pin::Pin;
use std::sync::Arc;

use berth_oci::{Algorithm, ContentRange, Digest, RepositoryName, UploadId};
use berth_storage::{ByteStream, Error as StorageError, Key, ObjectMeta};
use futures::{StreamExt as _, TryStreamExt as _};

use super::hashing::Hashing;
use crate::repository::hasher::Hasher;
use crate::repository::state::{State, found, links};
use crate::repository::{BlobInfo, Error, Repository, Reserve, Result, hash_state, layout, room};

/// So many bytes are little: to flush them takes longer than to send them again, and to remember their hash longer than to hash
/// them again.
const LITTLE: u64 = 4 * 1024 * 1024;

/// An upload that exists.
#[derive(Debug)]
pub(super) struct Upload {
    state: Arc<State>,
    name: RepositoryName,
    id: UploadId,
    data: Key,
    size: u64,
    /// Whether its bytes have become content already, and only the link to that is missing: a client whose last request
    /// failed comes back with it.
    is_spent: bool,
    /// The digest that the client has named; the storage may make use of knowing where the bytes will stay.
    destination: Option<Digest>,
    /// The algorithm that the client has announced, when it is known already.
    algorithm: Option<Algorithm>,
    /// What is kept free of it.
    reserve: Reserve,
}

impl Upload {
    /// An upload that has no bytes yet.
    pub(super) fn new(repository: &Repository, id: UploadId) -> Self {
        let name = repository.name.clone();
        let data = layout::upload_data(&name, &id);
        let (state, reserve) = (Arc::clone(&repository.state), repository.rules.reserve);
        let (is_spent, destination, algorithm) = (false, None, None);
        Self { state, name, id, data, size: 0, is_spent, destination, algorithm, reserve }
    }

    /// The upload as it was left, if there is one.
    pub(super) async fn open(repository: &Repository, id: UploadId) -> Result<Option<Self>> {
        let new = Self::new(repository, id);
        if let Some((size, algorithm)) = new.fresh_end().await? {
            return Ok(Some(Self { size, algorithm: Some(algorithm), ..new }));
        }
        let folder = layout::upload(&new.name, &id);
        let kept: Vec<_> = new.state.store.list(&folder, None).try_collect().await?;
        let states = kept.iter().filter_map(|meta| layout::parse_hash_state(&meta.key, &folder));
        let (algorithm, hashed) = states.max_by_key(|(_, size)| *size).unwrap_or((Algorithm::Sha256, 0));
        let new = Self { algorithm: Some(algorithm), ..new };
        if let Some(size) = new.size_of_data(&kept).await? {
            return Ok(Some(Self { size, ..new }));
        }
        let upload = Self { size: hashed, is_spent: hashed > 0, ..new };
        // Bytes that are neither here nor content were lost, and the client has to begin anew.
        let is_there = if upload.is_spent { upload.is_content().await? } else { !kept.is_empty() };
        Ok(is_there.then_some(upload))
    }

    /// Where this process has left off, if the upload has still that size.
    async fn fresh_end(&self) -> Result<Option<(u64, Algorithm)>> {
        let Some(fresh) = self.state.fresh_hashes.get(self.id) else { return Ok(None) };
        let actual = found(self.state.store.upload_size(&self.data).await)?;
        Ok((actual == Some(fresh.size)).then(|| (fresh.size, fresh.hasher.algorithm())))
    }

    /// The size of what was appended, of which some storages tell among the objects that are kept of the upload.
    async fn size_of_data(&self, kept: &[ObjectMeta]) -> Result<Option<u64>> {
        let data = kept.iter().find(|meta| meta.key == self.data);
        if data.is_some() || self.state.store.reads_growing_uploads() {
            return Ok(data.map(|meta| meta.size));
        }
        found(self.state.store.upload_size(&self.data).await)
    }

    /// Whether what was hashed is content already.
    async fn is_content(&self) -> Result<bool> {
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            let Some((hasher, _)) = self.remembered(algorithm).await? else { continue };
            if self.state.head(&layout::blob(&hasher.finish())).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The upload, which will become the blob `digest` if all goes well.
    pub(super) fn towards(self, digest: &Digest) -> Self {
        Self { destination: Some(*digest), ..self }
    }

    /// How many bytes it has.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Whether nothing can be added to it any more.
    pub(super) fn is_spent(&self) -> bool {
        self.is_spent
    }

    /// Adds the body, and returns the hash of everything so far.
    pub(super) async fn receive(
        &mut self,
        algorithm: Algorithm,
        range: Option<ContentRange>,
        body: ByteStream,
    ) -> Result<Hasher> {
        if range.is_some_and(|range| range.first() != self.size) {
            return Err(Error::OffsetMismatch { expected: self.size });
        }
        let hasher = self.hasher(algorithm).await?;
        let Some(body) = self.unless_ended(range, body).await else { return Ok(hasher) };
        if self.size > 0 && self.destination.is_some_and(|digest| hasher.clone().finish() == digest) {
            // The request before this one had brought everything, and failed after that.
            self.pass_by(body).await.map_err(|error| self.explain(error))?;
            return Ok(hasher);
        }
        let expected = range.map(ContentRange::length);
        let hashing = Hashing::new(hasher, expected);
        let destination = self.destination.as_ref().map(layout::blob);
        let body = hashing.pass(room::guarded(&self.state, self.reserve, body));
        let appended = if self.is_spent {
            self.pass_by(body).await
        } else {
            self.state.store.append(&self.data, self.size, body, destination.as_ref()).await
        };
        let kept = match &appended {
            Ok(size) => size.saturating_sub(self.size),
            Err(StorageError::BodyInterrupted { written, .. }) => *written,
            Err(_) => 0,
        };
        self.size += kept;
        let hasher = hashing.hasher(kept).await;
        let has_other_length = appended.is_ok() && expected.is_some_and(|expected| expected != kept);
        let outcome = if has_other_length || hashing.is_too_long().await {
            Err(Error::SizeInvalid { expected: expected.unwrap_or_default(), actual: kept })
        } else {
            appended.map_err(|error| self.explain(error))
        };
        match (outcome, hasher) {
            (Ok(_), Some(hasher)) => Ok(hasher),
            (Ok(_), None) => self.hasher(algorithm).await,
            (Err(error @ Error::LowSpace { .. }), _) => {
                // What has arrived would keep the storage full, and no client could go on.
                self.discard().await?;
                Err(error)
            }
            (Err(error), hasher) => {
                // The client may go on from here.
                if let Some(hasher) = hasher.filter(|_| kept > 0) {
                    self.save(&hasher).await?;
                }
                Err(error)
            }
        }
    }

    /// The body, unless it is the empty one by which a client says that nothing more comes: it need not be appended.
    async fn unless_ended(&self, range: Option<ContentRange>, body: ByteStream) -> Option<ByteStream> {
        if self.size == 0 || range.is_some() {
            return Some(body);
        }
        let mut body = body.peekable();
        Pin::new(&mut body).peek().await.is_some().then(|| body.boxed())
    }

    /// Looks at the body and keeps nothing of it: its bytes are content already, or it is the wrong body.
    async fn pass_by(&self, mut body: ByteStream) -> Result<u64, StorageError> {
        let mut written = 0;
        loop {
            match body.try_next().await {
                Ok(Some(chunk)) => written += chunk.len() as u64,
                Ok(None) => return Ok(self.size + written),
                Err(source) => return Err(StorageError::BodyInterrupted { written: 0, source }),
            }
        }
    }

    fn explain(&self, error: StorageError) -> Error {
        match error {
            StorageError::NotFound(_) => Error::UploadUnknown(self.id),
            StorageError::BodyInterrupted { ref source, .. } => {
                room::refusal(source).unwrap_or_else(|| error.into())
            }
            error => error.into(),
        }
    }

    /// The algorithm whose hash is remembered: the one that the client has announced.
    pub(super) async fn algorithm(&self) -> Result<Algorithm> {
        if let Some(algorithm) = self.algorithm {
            return Ok(algorithm);
        }
        let states = layout::upload_hash_states(&self.name, &self.id, Algorithm::Sha512);
        let is_long = self.state.store.children(&states, None).try_next().await?.is_some();
        Ok(if is_long { Algorithm::Sha512 } else { Algorithm::Sha256 })
    }

    /// Keeps what the next request goes on from. Little is not made to last before it becomes a blob: a failure of power may set
    /// the upload back, which its size tells.
    pub(super) async fn keep(&self, hasher: Hasher) -> Result<()> {
        if self.size > LITTLE || hasher.algorithm() != Algorithm::Sha256 {
            self.save(&hasher).await?;
        }
        self.state.fresh_hashes.keep(self.id, self.size, hasher);
        Ok(())
    }

    /// Makes the bytes last, and remembers the hash for the next request.
    pub(super) async fn save(&self, hasher: &Hasher) -> Result<()> {
        self.state.store.flush_upload(&self.data).await?;
        self.save_hash(hasher).await
    }

    /// Remembers the hash for the next request, and forgets what was remembered before.
    ///
    /// What was hashed has to be flushed already. Otherwise a failure of power could leave zeros in its place, which the
    /// remembered hash would vouch for.
    async fn save_hash(&self, hasher: &Hasher) -> Result<()> {
        let states = layout::upload_hash_states(&self.name, &self.id, hasher.algorithm());
        let (current, encoded) = (self.size.to_string(), hash_state::encode(hasher));
        // Without it, or when it comes back damaged, the bytes are hashed again.
        self.state.store.note(&states.join(&current), encoded.into()).await?;
        let remembered: Vec<String> = self.state.store.children(&states, None).try_collect().await?;
        for offset in remembered.iter().filter(|offset| **offset != current) {
            self.state.store.delete(&states.join(offset)).await?;
        }
        Ok(())
    }

    /// The hash of what is there: from the newest remembered state, and from the data behind it.
    async fn hasher(&self, algorithm: Algorithm) -> Result<Hasher> {
        let (mut hasher, mut offset) = (Hasher::new(algorithm), 0);
        if self.size == 0 {
            return Ok(hasher);
        }
        if let Some(fresh) = self.fresh_hash().filter(|fresh| fresh.algorithm() == algorithm) {
            return Ok(fresh);
        }
        if let Some((remembered, length)) = self.remembered(algorithm).await? {
            (hasher, offset) = (remembered, length);
        }
        if offset < self.size {
            let mut body = match self.state.store.read_upload(&self.data, offset..self.size).await {
                // The store has dropped what it could not read. The client may begin again: nothing tells of other bytes.
                Err(StorageError::NotFound(_)) if offset == 0 => {
                    return Err(Error::OffsetMismatch { expected: 0 });
                }
                body => body.map_err(|error| self.explain(error))?,
            };
            while let Some(chunk) = body.try_next().await.map_err(|source| self.unreadable(source))? {
                hasher.update(&chunk);
            }
        }
        Ok(hasher)
    }

    /// The hash of what is there, if this process has just added to it.
    fn fresh_hash(&self) -> Option<Hasher> {
        let fresh = self.state.fresh_hashes.get(self.id);
        fresh.filter(|fresh| fresh.size == self.size).map(|fresh| fresh.hasher)
    }

    async fn remembered(&self, algorithm: Algorithm) -> Result<Option<(Hasher, u64)>> {
        let states = layout::upload_hash_states(&self.name, &self.id, algorithm);
        let names: Vec<String> = self.state.store.children(&states, None).try_collect().await?;
        let offsets = names.iter().filter_map(|name| name.parse::<u64>().ok());
        let mut offsets: Vec<_> = offsets.filter(|offset| *offset <= self.size).collect();
        offsets.sort_unstable();
        for offset in offsets.into_iter().rev() {
            let state = self.state.read(&states.join(offset)).await?;
            match state.and_then(|(_, state)| hash_state::decode(algorithm, &state)) {
                Some((hasher, length)) if length == offset => return Ok(Some((hasher, length))),
                _ => tracing::warn!(upload = %self.id, offset, "a damaged hash state is ignored"),
            }
        }
        Ok(None)
    }

    fn unreadable(&self, source: std::io::Error) -> Error {
        Error::Unavailable(StorageError::Unavailable { key: self.data.clone(), source })
    }

    /// Turns the upload into the blob `digest`, if that is the digest of what it has.
    pub(super) async fn publish(&self, hasher: Hasher, digest: &Digest) -> Result<BlobInfo> {
        let actual = hasher.finish();
        if actual != *digest {
            self.discard().await?;
            return Err(Error::DigestMismatch { expected: *digest, actual: Box::new(actual) });
        }
        self.make_visible(digest).await?;
        // The blob is there, and that is what counts; the upload itself has become it.
        if let Err(error) = self.forget().await {
            self.warn_of_remains(&error);
        }
        Ok(BlobInfo { digest: *digest, size: self.size })
    }

    /// Remembers the hash for a client that tries to finish once more, unless the content was the wrong one.
    pub(super) async fn remember(&self, hasher: &Hasher, digest: &Digest) {
        if self.is_spent || hasher.clone().finish() != *digest {
            return;
        }
        let remembered = async {
            self.state.store.flush_upload(&self.data).await?;
            self.save_hash(hasher).await
        };
        if let Err(error) = remembered.await {
            tracing::warn!(upload = %self.id, %error, "the hash of an upload that failed could not be kept");
        }
    }

    /// Makes the upload the content, unless that is there already, and links to it.
    async fn make_visible(&self, digest: &Digest) -> Result<()> {
        let state = &self.state;
        let (blob, link) = (layout::blob(digest), (layout::layer(&self.name, digest), digest));
        let _held = state.liveness.hold(digest).await;
        let mut list = state.quarantine.list().await?;
        state.quarantine.rescue(digest).await?;
        if self.is_spent {
            state.rely_on(digest).await?.ok_or(Error::UploadUnknown(self.id))?;
            state.write_links([link.clone()]).await?;
        } else {
            let links = links([link.clone()]);
            let published = state.store.publish(&self.data, self.size, &blob, links).await;
            published.map_err(|error| self.explain(error))?;
        }
        while state.quarantine.has_changed(&mut list).await? {
            state.rely_on(digest).await?.ok_or(Error::UploadUnknown(self.id))?;
            state.write_links([link.clone()]).await?;
        }
        Ok(())
    }

    /// Removes what nobody needs any more. If that fails, it is removed with the abandoned uploads.
    pub(super) async fn discard_remains(&self) {
        if let Err(error) = self.discard().await {
            self.warn_of_remains(&error);
        }
    }

    fn warn_of_remains(&self, error: &Error) {
        tracing::warn!(upload = %self.id, %error, "the remains of an upload could not be removed");
    }

    /// Removes the upload and everything about it.
    pub(super) async fn discard(&self) -> Result<()> {
        self.state.store.abort(&self.data).await?;
        self.forget().await
    }

    /// Removes what is kept beside the upload.
    async fn forget(&self) -> Result<()> {
        self.state.fresh_hashes.forget(self.id);
        Ok(self.state.store.delete_all(&layout::upload(&self.name, &self.id)).await?)
    }
}
