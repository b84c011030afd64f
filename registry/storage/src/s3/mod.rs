//! Objects in a bucket of S3, or of a server that speaks its protocol.

mod attempts;
mod body;
mod bucket;
mod checksums;
mod children;
mod conditions;
mod copy;

mod credentials;
mod endpoint;
mod error;
mod http;
mod leftovers;
mod list;
mod make;
mod multipart;
mod presign;
mod progress;
mod read;
mod request;
mod settings;
mod tls;
mod upload;
mod write;

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

use self::bucket::Bucket;
use self::upload::Active;
use crate::{ByteStream, Key, Object, ObjectMeta, ObjectStore, PresignedUrl, PutCondition, Result};

pub use settings::{
    Copying, Encryption, Endpoint, Requests, S3Settings, SMALLEST_PART, StaticCredentials, Trust, Writing,
};

/// For how long what S3 has said is taken to hold.
const PATIENCE: Duration = Duration::from_secs(2);

/// An object store in a bucket.
#[derive(Debug)]
pub struct S3 {
    bucket: Arc<Bucket>,
    active: Active,
}

impl S3 {
    /// The store in the bucket of the settings; nothing is asked of the server yet.
    ///
    /// `variable` reads the environment, for credentials that the settings do not hold.
    pub fn new(settings: S3Settings, variable: impl Fn(&str) -> Option<String>) -> io::Result<Self> {
        Ok(Self { bucket: Arc::new(Bucket::open(settings, variable)?), active: Active::default() })
    }

    /// Makes the bucket if it does not exist, and says whether it did; several servers may do so at once.
    pub async fn create_bucket(&self) -> Result<bool> {
        self.bucket.make().await
    }
}

#[async_trait]
impl ObjectStore for S3 {
    async fn head(&self, key: &Key) -> Result<ObjectMeta> {
        self.bucket.head(key).await
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> Result<Object> {
        self.bucket.get(key, range).await
    }

    async fn put(&self, key: &Key, body: Bytes, condition: PutCondition) -> Result<()> {
        self.bucket.put_object(key, body, condition).await
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.bucket.delete(key).await
    }

    fn list(&self, prefix: &Key, start_after: Option<&Key>) -> BoxStream<'_, Result<ObjectMeta>> {
        list::list(Arc::clone(&self.bucket), prefix.clone(), start_after.cloned())
    }

    fn children(&self, prefix: &Key, start_after: Option<&str>) -> BoxStream<'_, Result<String>> {
        children::children(Arc::clone(&self.bucket), prefix.clone(), start_after.map(str::to_owned))
    }

    async fn append(
        &self,
        upload: &Key,
        offset: u64,
        body: ByteStream,
        destination: Option<&Key>,
    ) -> Result<u64> {
        upload::append(&self.bucket, &self.active, upload, offset, body, destination).await
    }

    async fn upload_size(&self, upload: &Key) -> Result<u64> {
        upload::size(&self.bucket, upload).await
    }

    async fn read_upload(&self, upload: &Key, range: Range<u64>) -> Result<ByteStream> {
        upload::read(&self.bucket, &self.active, upload, range).await
    }

    async fn complete(&self, upload: &Key, size: u64, object: &Key) -> Result<()> {
        upload::complete(&self.bucket, &self.active, upload, size, object).await
    }

    async fn abort(&self, upload: &Key) -> Result<()> {
        upload::abort(&self.bucket, &self.active, upload).await
    }

    async fn remove_leftovers(&self, prefix: &Key, before: SystemTime) -> Result<u64> {
        self.bucket.drop_leftovers(prefix, before).await
    }

    fn patience(&self) -> Duration {
        PATIENCE
    }

    async fn presigned_url(&self, key: &Key, lifetime: Duration) -> Result<Option<PresignedUrl>> {
        self.bucket.presigned_url(key, lifetime).await.map(Some)
    }
}
