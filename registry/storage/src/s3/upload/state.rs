//! What is remembered of an upload: a small object beside it, from which any process can continue.
//!
//! It is written only on the condition that it is still what the writer has read. So of two processes that continue
//! the same upload one succeeds, and the other learns that it is too late.

use std::str;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use futures::TryStreamExt as _;
use object_store::{ObjectStore as _, PutMode, PutPayload};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::super::bucket::{Bucket, Failed};
use super::super::checksums::Guard;
use super::super::conditions::Condition;
use super::super::error;
use super::super::multipart::Part;
use crate::{Error, Key, Result};

/// A tail of up to so many bytes is kept in the state itself.
const LARGEST_INLINE: usize = 16 * 1024;

/// An upload as it was left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    /// Who wrote this; another one each time.
    writer: Uuid,
    /// Whether the writer is adding parts that are not named here.
    pub(super) is_open: bool,
    pub(super) body: Body,
    pub(super) tail: Tail,
}

/// Where most of the bytes are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Body {
    /// There are none beside the tail.
    Nothing,
    /// In a multipart upload.
    Parts(Multipart),
    /// In an object that has the key of the upload, with this size.
    Object(u64),
}

/// A multipart upload as S3 knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Multipart {
    /// The key of the object that it will be.
    pub(super) target: String,
    pub(super) id: String,
    /// By what damaged parts are noticed; the same for all.
    #[serde(default)]
    pub(super) guard: Guard,
    /// The size of all parts but the last, in bytes.
    pub(super) part_size: u64,
    pub(super) parts: Vec<Part>,
}

/// The bytes at the end, which are too few for a part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Tail {
    /// In Base64.
    Inline(String),
    /// In an object of this name below the upload, with this size.
    Object { name: Uuid, size: u64 },
}

/// A state, and the version of the object that it was read from.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) state: State,
    version: Option<String>,
}

impl Multipart {
    pub(super) fn size(&self) -> u64 {
        self.parts.iter().map(|part| part.size).sum()
    }
}

impl State {
    pub(super) fn new() -> Self {
        Self {
            writer: Uuid::new_v4(),
            is_open: false,
            body: Body::Nothing,
            tail: Tail::Inline(String::new()),
        }
    }

    /// How many bytes the upload has.
    pub(super) fn size(&self) -> u64 {
        self.body.size() + self.tail.size()
    }
}

impl Body {
    pub(super) fn size(&self) -> u64 {
        match self {
            Self::Nothing => 0,
            Self::Parts(multipart) => multipart.size(),
            Self::Object(size) => *size,
        }
    }
}

impl Tail {
    pub(super) fn size(&self) -> u64 {
        match self {
            Self::Inline(text) => STANDARD.decode(text).map_or(0, |bytes| bytes.len() as u64),
            Self::Object { size, .. } => *size,
        }
    }
}

/// Where the state of an upload is kept.
pub(super) fn state_key(upload: &Key) -> Key {
    upload.join("_state")
}

fn tail_key(upload: &Key, name: Uuid) -> Key {
    upload.join("_tail").join(name)
}

impl Bucket {
    /// The state of the upload, if there is one.
    pub(super) async fn load(&self, upload: &Key) -> Result<Option<Stored>> {
        let key = state_key(upload);
        let found = match self.client.get_opts(&self.path(&key)?, object_store::GetOptions::default()).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(failure) => return Err(error::explain(&key, failure)),
        };
        let version = found.meta.e_tag.clone();
        let text = found.bytes().await.map_err(|failure| error::explain(&key, failure))?;
        let state = serde_json::from_slice(&text).map_err(|damage| error::invalid(&key, damage))?;
        Ok(Some(Stored { state, version }))
    }

    /// Writes the state in the place of `before`. `Busy` when somebody else has written another one meanwhile.
    pub(super) async fn save(&self, upload: &Key, before: Option<&Stored>, state: State) -> Result<Stored> {
        let state = State { writer: Uuid::new_v4(), ..state };
        let key = state_key(upload);
        let text = serde_json::to_vec(&state).map_err(|failure| error::invalid(&key, failure))?;
        let condition = before.map_or(Condition::Nothing, |before| Condition::Tag(before.version.clone()));
        match self.put_if(&key, text.into(), &condition).await {
            Ok(version) => Ok(Stored { state, version }),
            Err(Failed::Condition) => Err(Error::Busy(upload.clone())),
            Err(failed) => Err(failed.explain(&key)),
        }
    }

    /// Keeps the bytes at the end of the upload.
    pub(super) async fn save_tail(&self, upload: &Key, tail: Vec<Bytes>) -> Result<Tail> {
        let size: usize = tail.iter().map(Bytes::len).sum();
        if size <= LARGEST_INLINE {
            return Ok(Tail::Inline(STANDARD.encode(tail.concat())));
        }
        let (name, size) = (Uuid::new_v4(), size as u64);
        let key = tail_key(upload, name);
        let tail: PutPayload = tail.into_iter().collect();
        let put = self.put(&key, tail, PutMode::Overwrite).await;
        put.map_err(|failed| failed.explain(&key))?;
        Ok(Tail::Object { name, size })
    }

    /// The bytes at the end of the upload.
    pub(super) async fn load_tail(&self, upload: &Key, tail: &Tail) -> Result<Bytes> {
        match tail {
            Tail::Inline(text) => {
                let bytes = STANDARD.decode(text);
                bytes.map(Bytes::from).map_err(|damage| error::invalid(&state_key(upload), damage))
            }
            Tail::Object { name, size } => {
                let key = tail_key(upload, *name);
                let mut body = self.get(&key, None).await?.body;
                // As much as is needed, at once: to gather the chunks and then to join them would take twice as much.
                let mut tail = BytesMut::with_capacity(usize::try_from(*size).unwrap_or_default());
                let broken = |source| Error::Unavailable { key: key.clone(), source };
                while let Some(chunk) = body.try_next().await.map_err(broken)? {
                    tail.extend_from_slice(&chunk);
                }
                Ok(tail.freeze())
            }
        }
    }

    /// Drops the bytes at the end of the upload, which somebody else has taken over.
    pub(super) async fn drop_tail(&self, upload: &Key, tail: &Tail) -> Result<()> {
        match tail {
            Tail::Inline(_) => Ok(()),
            Tail::Object { name, .. } => self.delete(&tail_key(upload, *name)).await,
        }
    }
}
