//! Storage in memory that gives URLs as S3 does.

use std::{ops::Range, time::Duration};

use async_trait::async_trait;
use berth_storage::{
    ByteStream, Key, Memory, Object, ObjectMeta, ObjectStore, PresignedUrl, PutCondition, Result,
};
use bytes::Bytes;
use futures::stream::BoxStream;

/// What permits to read, in every URL of [`Presigning`].
pub(crate) const SIGNATURE: &str = "0123456789abcdef";

/// Objects in memory, which seem to be at `https://s3.example.com/hub` as well.
#[derive(Debug, Default)]
pub(crate) struct Presigning(Memory);

#[async_trait]
impl ObjectStore for Presigning {
    async fn presigned_url(&self, key: &Key, lifetime: Duration) -> Result<Option<PresignedUrl>> {
        let query = format!("X-Amz-Expires={}&X-Amz-Signature={SIGNATURE}", lifetime.as_secs());
        Ok(Some(PresignedUrl::new(format!("https://s3.example.com/hub/{key}?{query}"))))
    }

    async fn head(&self, key: &Key) -> Result<ObjectMeta> {
        self.0.head(key).await
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> Result<Object> {
        self.0.get(key, range).await
    }

    async fn put(&self, key: &Key, body: Bytes, condition: PutCondition) -> Result<()> {
        self.0.put(key, body, condition).await
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.0.delete(key).await
    }

    fn list(&self, prefix: &Key, start_after: Option<&Key>) -> BoxStream<'_, Result<ObjectMeta>> {
        self.0.list(prefix, start_after)
    }

    fn children(&self, prefix: &Key, start_after: Option<&str>) -> BoxStream<'_, Result<String>> {
        self.0.children(prefix, start_after)
    }

    async fn append(&self, upload: &Key, offset: u64, body: ByteStream, to: Option<&Key>) -> Result<u64> {
        self.0.append(upload, offset, body, to).await
    }

    async fn upload_size(&self, upload: &Key) -> Result<u64> {
        self.0.upload_size(upload).await
    }

    async fn complete(&self, upload: &Key, size: u64, object: &Key) -> Result<()> {
        self.0.complete(upload, size, object).await
    }

    async fn abort(&self, upload: &Key) -> Result<()> {
        self.0.abort(upload).await
    }
}
