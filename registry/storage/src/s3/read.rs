//! Objects that are looked at and read: one request each.

use std::ops::Range;

use futures::{StreamExt as _, stream};
use object_store::{GetOptions, GetRange, ObjectStore as _};

use super::bucket::{self, Bucket};
use super::{body, error};
use crate::{Key, Object, ObjectMeta, Result};

impl Bucket {
    pub(super) async fn head(&self, key: &Key) -> Result<ObjectMeta> {
        let options = GetOptions { head: true, ..GetOptions::default() };
        let found = self.client.get_opts(&self.path(key)?, options).await;
        let found = found.map_err(|failure| error::explain(key, failure))?;
        Ok(bucket::meta(key.clone(), &found.meta))
    }

    pub(super) async fn get(&self, key: &Key, range: Option<Range<u64>>) -> Result<Object> {
        if range.as_ref().is_some_and(Range::is_empty) {
            return self.without_bytes(key).await;
        }
        let has_range = range.is_some();
        let options = GetOptions { range: range.map(GetRange::Bounded), ..GetOptions::default() };
        let path = self.path(key)?;
        match self.client.get_opts(&path, options).await {
            Ok(found) => {
                let meta = bucket::meta(key.clone(), &found.meta);
                let body = body::body(&self.client, &self.settings.requests, path, found);
                Ok(Object { meta, body: body.into() })
            }
            Err(failure) if has_range && error::is_range_after_end(&failure) => self.without_bytes(key).await,
            Err(failure) => Err(error::explain(key, failure)),
        }
    }

    /// The object of which no byte is wanted: S3 knows no empty range.
    async fn without_bytes(&self, key: &Key) -> Result<Object> {
        Ok(Object { meta: self.head(key).await?, body: stream::empty().boxed().into() })
    }
}
