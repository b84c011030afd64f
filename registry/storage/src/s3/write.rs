//! Objects that are put and deleted.

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use object_store::{ObjectStore as _, PutMode};

use super::bucket::{Bucket, Failed};
use super::conditions::{Condition, tag_of};
use super::error;
use crate::{Error, Key, PutCondition, Result};

impl Bucket {
    /// Puts the object if the condition of the contract holds.
    pub(super) async fn put_object(&self, key: &Key, body: Bytes, condition: PutCondition) -> Result<()> {
        let (put, unmet) = match condition {
            PutCondition::Always => {
                let put = self.put(key, body, PutMode::Overwrite).await;
                return put.map(drop).map_err(|failed| failed.unconditional(key));
            }
            PutCondition::IfAbsent => {
                (self.put_if(key, body, &Condition::Nothing).await, Error::AlreadyExists(key.clone()))
            }
            PutCondition::IfVersion(version) => {
                let condition = Condition::Tag(tag_of(Some(&version)));
                (self.put_if(key, body, &condition).await, Error::VersionMismatch(key.clone()))
            }
        };
        match put {
            Ok(_) => Ok(()),
            Err(Failed::Condition) => Err(unmet),
            Err(failed) => Err(failed.unconditional(key)),
        }
    }

    pub(super) async fn delete(&self, key: &Key) -> Result<()> {
        let path = self.path(key)?;
        let deleted = self.client.delete_stream(stream::iter([Ok(path)]).boxed());
        match deleted.try_collect::<Vec<_>>().await {
            Err(object_store::Error::NotFound { .. }) | Ok(_) => Ok(()),
            Err(failure) => Err(error::explain(key, failure)),
        }
    }
}
