//! Multipart uploads: begun, filled, made an object or dropped.
//!
//! `object_store` sends those whose bytes are signed. It does not know the checksum that guards the others.

use hyper::header::{ETAG, HeaderMap, HeaderValue};
use hyper::{Method, StatusCode};
use object_store::multipart::{MultipartStore as _, PartId};
use object_store::{PutMultipartOptions, PutPayload};
use serde::{Deserialize, Serialize};

use super::bucket::Bucket;
use super::checksums::{ALGORITHM, CHECKSUM, CRC32C, Guard, checksum};
use super::error::{self, Answered};
use super::request::Plain;
use crate::{Key, Result};

/// A part that S3 has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Part {
    pub(super) tag: String,
    pub(super) size: u64,
    /// By which it was guarded, if by any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) checksum: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Started {
    upload_id: String,
}

#[derive(Serialize)]
#[serde(rename = "CompleteMultipartUpload", rename_all = "PascalCase")]
struct Completion<'a> {
    part: Vec<Named<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Named<'a> {
    part_number: usize,
    #[serde(rename = "ETag")]
    tag: &'a str,
    #[serde(rename = "ChecksumCRC32C", skip_serializing_if = "Option::is_none")]
    checksum: Option<&'a str>,
}

impl Bucket {
    /// Begins a multipart upload of the object `key` and returns its id.
    pub(super) async fn start_multipart(&self, key: &Key, guard: Guard) -> Result<String> {
        let path = self.path(key)?;
        if guard == Guard::Signature {
            let options =
                PutMultipartOptions { attributes: self.attributes(), ..PutMultipartOptions::default() };
            let started = self.client.create_multipart_opts(&path, options).await;
            return started.map_err(|failure| error::explain(key, failure));
        }
        let mut headers = self.headers_of_a_new_object(key)?;
        headers.insert(ALGORITHM, CRC32C);
        let query = vec![("uploads".to_owned(), String::new())];
        let started = self.send(key, Plain { query, headers, ..Plain::new(Method::POST, &path) }).await?;
        let started: Started =
            quick_xml::de::from_reader(started.as_ref()).map_err(|damage| error::invalid(key, damage))?;
        Ok(started.upload_id)
    }

    /// Sends the part `index`, counted from 0. `NotFound` when the server has never heard of the multipart upload.
    pub(super) async fn put_part(
        &self,
        key: &Key,
        id: &str,
        index: usize,
        guard: Guard,
        part: PutPayload,
    ) -> Result<Part> {
        if guard == Guard::Checksum {
            let checksum = checksum(&part);
            let put = self.put_with_checksum(key, id, index, part.clone(), checksum.clone()).await;
            return match put {
                Err(failure) if error::is_damaged(&failure) => {
                    self.put_with_checksum(key, id, index, part, checksum).await
                }
                put => put,
            };
        }
        let size = part.content_length() as u64;
        let put = self.client.put_part(&self.path(key)?, &id.to_owned(), index, part).await;
        let PartId { content_id } = put.map_err(|failure| error::explain(key, failure))?;
        Ok(Part { tag: content_id, size, checksum: None })
    }

    /// Sends a part, which the server refuses if it has another checksum.
    pub(super) async fn put_with_checksum(
        &self,
        key: &Key,
        id: &str,
        index: usize,
        part: PutPayload,
        checksum: String,
    ) -> Result<Part> {
        let size = part.content_length() as u64;
        let value = HeaderValue::from_str(&checksum).map_err(|invalid| error::invalid(key, invalid))?;
        let request = Plain {
            method: Method::PUT,
            path: &self.path(key)?,
            query: query_of_part(id, index),
            headers: HeaderMap::from_iter([(CHECKSUM, value)]),
            body: part,
        };
        let (headers, body) = self.ask(key, request).await?;
        let Some(tag) = headers.get(ETAG).and_then(|tag| tag.to_str().ok()) else {
            let body = String::from_utf8_lossy(&body).into_owned();
            return Err(error::explain_answer(key, Answered { status: StatusCode::OK, body }));
        };
        Ok(Part { tag: tag.to_owned(), size, checksum: Some(checksum) })
    }

    /// Makes the parts an object. That this was done before is success: a request whose answer was lost is sent again.
    pub(super) async fn complete_multipart(
        &self,
        key: &Key,
        id: &str,
        guard: Guard,
        parts: &[Part],
    ) -> Result<()> {
        let completed = match guard {
            Guard::Signature => self.complete_signed(key, id, parts).await,
            Guard::Checksum => self.complete_with_checksums(key, id, parts).await,
        };
        let size: u64 = parts.iter().map(|part| part.size).sum();
        match completed {
            Err(failure) if failure.is_not_found() => match self.head(key).await {
                Ok(meta) if meta.size == size => Ok(()),
                Err(unknown) if !unknown.is_not_found() => Err(unknown),
                _ => Err(failure),
            },
            completed => completed,
        }
    }

    async fn complete_signed(&self, key: &Key, id: &str, parts: &[Part]) -> Result<()> {
        let parts = parts.iter().map(|part| PartId { content_id: part.tag.clone() }).collect();
        let completed = self.client.complete_multipart(&self.path(key)?, &id.to_owned(), parts).await;
        completed.map(drop).map_err(|failure| error::explain(key, failure))
    }

    async fn complete_with_checksums(&self, key: &Key, id: &str, parts: &[Part]) -> Result<()> {
        let part = parts.iter().enumerate().map(|(index, part)| Named {
            part_number: index + 1,
            tag: &part.tag,
            checksum: part.checksum.as_deref(),
        });
        let body = quick_xml::se::to_string(&Completion { part: part.collect() })
            .map_err(|invalid| error::invalid(key, invalid))?;
        let query = vec![("uploadId".to_owned(), id.to_owned())];
        let path = self.path(key)?;
        self.send(key, Plain { query, body: body.into(), ..Plain::new(Method::POST, &path) }).await.map(drop)
    }

    /// Drops the multipart upload; that it is gone already is success.
    pub(super) async fn drop_multipart(&self, key: &Key, id: &str) -> Result<()> {
        match self.client.abort_multipart(&self.path(key)?, &id.to_owned()).await {
            Err(failure) if error::is_unknown_upload(&failure) => Ok(()),
            Err(object_store::Error::NotFound { .. }) | Ok(()) => Ok(()),
            Err(failure) => Err(error::explain(key, failure)),
        }
    }
}

/// The query that names the part `index`, counted from 0, of a multipart upload.
pub(super) fn query_of_part(id: &str, index: usize) -> Vec<(String, String)> {
    vec![("partNumber".to_owned(), (index + 1).to_string()), ("uploadId".to_owned(), id.to_owned())]
}
