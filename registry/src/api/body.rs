//! The bytes of a request: streamed when they are a blob, gathered when they are a document.

use std::io;

use axum::extract::{FromRequest, Request};
use berth_oci::ErrorCode;
use berth_storage::ByteStream;
use bytes::{Bytes, BytesMut};
use futures::{StreamExt, TryStreamExt};

use super::{
    Api,
    error::{Error, Result},
};

/// The bytes of a blob, as they arrive.
pub(super) struct Stream(pub(super) ByteStream);

impl FromRequest<Api> for Stream {
    type Rejection = Error;

    async fn from_request(request: Request, _: &Api) -> Result<Self> {
        Ok(Self(request.into_body().into_data_stream().map_err(io::Error::other).boxed()))
    }
}

/// The bytes of a manifest, up to the configured limit.
pub(super) struct Document(pub(super) Bytes);

impl FromRequest<Api> for Document {
    type Rejection = Error;

    async fn from_request(request: Request, api: &Api) -> Result<Self> {
        let mut chunks = request.into_body().into_data_stream();
        let mut document = BytesMut::new();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|_| {
                Error::bad_request(ErrorCode::ManifestInvalid, "the body broke off before its end")
            })?;
            document.extend_from_slice(&chunk);
            if document.len() as u64 > api.max_manifest_size {
                let too_large = crate::repository::Error::TooLarge { limit: api.max_manifest_size };
                return Err(too_large.into());
            }
        }
        Ok(Self(document.freeze()))
    }
}
