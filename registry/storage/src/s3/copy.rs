//! Copies within the bucket: the bytes do not come here.

use std::ops::Range;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use hyper::Method;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use object_store::path::Path;
use serde::Deserialize;

use super::bucket::Bucket;
use super::checksums::Guard;
use super::error;
use super::multipart::{Part, query_of_part};
use super::request::Plain;
use super::settings::Encryption;
use crate::{Key, Result};

const SOURCE: HeaderName = HeaderName::from_static("x-amz-copy-source");
const SOURCE_RANGE: HeaderName = HeaderName::from_static("x-amz-copy-source-range");
const METADATA: HeaderName = HeaderName::from_static("x-amz-metadata-directive");
const STORAGE_CLASS: HeaderName = HeaderName::from_static("x-amz-storage-class");
const ENCRYPTION: HeaderName = HeaderName::from_static("x-amz-server-side-encryption");
const ENCRYPTION_KEY: HeaderName = HeaderName::from_static("x-amz-server-side-encryption-aws-kms-key-id");

/// The largest object, and the largest part, that one request copies: 5 GiB.
pub(super) const LARGEST_COPY: u64 = 5 * 1024 * 1024 * 1024;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CopyPartResult {
    #[serde(rename = "ETag")]
    e_tag: String,
}

impl Bucket {
    /// Copies the object `from`, which has `size` bytes, to `to`. Onto itself, it makes it young.
    pub(super) async fn copy(&self, from: &Key, size: u64, to: &Key) -> Result<()> {
        if size <= self.settings.copying.threshold.min(LARGEST_COPY) {
            self.copy_at_once(from, to).await
        } else {
            self.copy_in_parts(from, size, to).await
        }
    }

    async fn copy_at_once(&self, from: &Key, to: &Key) -> Result<()> {
        let mut headers = self.headers_of_a_new_object(to)?;
        headers.insert(SOURCE, self.source(from)?);
        // Without this, S3 refuses to copy an object onto itself.
        headers.insert(METADATA, HeaderValue::from_static("REPLACE"));
        let path = self.path(to)?;
        let request = Plain { headers, ..Plain::new(Method::PUT, &path) };
        self.send(from, request).await.map(drop)
    }

    async fn copy_in_parts(&self, from: &Key, size: u64, to: &Key) -> Result<()> {
        let path = self.path(to)?;
        let guard = Guard::default();
        let upload = self.start_multipart(to, guard).await?;
        let completed = match self.copy_all_parts(from, size, &path, &upload).await {
            Ok(parts) => self.complete_multipart(to, &upload, guard, &parts).await,
            Err(failure) => Err(failure),
        };
        if completed.is_err() {
            // What cannot be dropped now is dropped with the abandoned uploads.
            let _dropped = self.drop_multipart(to, &upload).await;
        }
        completed
    }

    async fn copy_all_parts(&self, from: &Key, size: u64, to: &Path, upload: &str) -> Result<Vec<Part>> {
        let ranges = ranges(size, self.settings.copying.part_size);
        let parts = ranges
            .into_iter()
            .enumerate()
            .map(|(index, range)| async move { self.copy_part(from, range, to, upload, index).await });
        stream::iter(parts).buffered(self.settings.copying.concurrency).try_collect().await
    }

    /// Makes a range of the object `from` the part `index`, counted from 0, of a multipart upload.
    pub(super) async fn copy_part(
        &self,
        from: &Key,
        range: Range<u64>,
        to: &Path,
        upload: &str,
        index: usize,
    ) -> Result<Part> {
        let size = range.end - range.start;
        let mut headers = HeaderMap::new();
        headers.insert(SOURCE, self.source(from)?);
        let bytes = format!("bytes={}-{}", range.start, range.end.saturating_sub(1));
        headers.insert(SOURCE_RANGE, HeaderValue::from_str(&bytes).map_err(|e| error::invalid(from, e))?);
        let query = query_of_part(upload, index);
        let body = self.send(from, Plain { query, headers, ..Plain::new(Method::PUT, to) }).await?;
        let result: CopyPartResult =
            quick_xml::de::from_reader(body.as_ref()).map_err(|e| error::invalid(from, e))?;
        Ok(Part { tag: result.e_tag, size, checksum: None })
    }

    fn source(&self, key: &Key) -> Result<HeaderValue> {
        let source = format!("{}/{}", self.settings.bucket, self.path(key)?);
        let source: String = source.bytes().map(escaped).collect();
        HeaderValue::from_str(&source).map_err(|e| error::invalid(key, e))
    }

    /// What a new object is given beside its bytes, as the headers say it.
    pub(super) fn headers_of_a_new_object(&self, key: &Key) -> Result<HeaderMap> {
        let mut headers = HeaderMap::new();
        let mut add = |name, value: &str| {
            let value = HeaderValue::from_str(value).map_err(|e| error::invalid(key, e))?;
            headers.insert(name, value);
            Ok(())
        };
        if let Some(class) = &self.settings.writing.storage_class {
            add(STORAGE_CLASS, class)?;
        }
        match &self.settings.writing.encryption {
            Encryption::Bucket => {}
            Encryption::S3 => add(ENCRYPTION, "AES256")?,
            Encryption::Kms(id) => {
                add(ENCRYPTION, "aws:kms")?;
                id.as_ref().map_or(Ok(()), |id| add(ENCRYPTION_KEY, id))?;
            }
        }
        Ok(headers)
    }
}

/// A byte as it stands in the path of a URL.
fn escaped(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
        char::from(byte).to_string()
    } else {
        format!("%{byte:02X}")
    }
}

/// Ranges of `part_size` bytes each, but for the last, which together are `size` bytes.
pub(super) fn ranges(size: u64, part_size: u64) -> Vec<Range<u64>> {
    let part_size = part_size.max(size.div_ceil(MOST_PARTS)).max(1);
    (0..size.div_ceil(part_size)).map(|n| n * part_size..((n + 1) * part_size).min(size)).collect()
}

/// How many parts an upload may have.
pub(super) const MOST_PARTS: u64 = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_cover_the_object_once() {
        assert_eq!(ranges(10, 4), [0..4, 4..8, 8..10]);
        assert_eq!(ranges(8, 4), [0..4, 4..8]);
        assert!(ranges(0, 4).is_empty());
    }

    #[test]
    fn a_huge_object_has_larger_parts_rather_than_more_than_there_may_be() {
        let size = 5 * 1024 * 1024 * 1024 * 1024;
        let ranges = ranges(size, 32 * 1024 * 1024);
        assert!(ranges.len() as u64 <= MOST_PARTS);
        assert_eq!(ranges.last().map(|range| range.end), Some(size));
    }

    #[test]
    fn what_a_url_may_not_hold_is_escaped() {
        let escape = |text: &str| text.bytes().map(escaped).collect::<String>();
        assert_eq!(escape("hub/a_b/c+d%2F"), "hub/a_b/c%2Bd%252F");
    }
}
