//! Objects that are put and deleted.

use bytes::Bytes;
use hyper::Method;
use object_store::PutMode;

use super::bucket::{Bucket, Failed};
use super::conditions::{Condition, tag_of};
use super::request::Plain;
use crate::{Error, Key, PutCondition, Result};

impl Bucket {
    /// Puts the object if the condition of the contract holds.
    pub(super) async fn put_object(&self, key: &Key, body: Bytes, condition: PutCondition) -> Result<()> {
        let (put, unmet) = match condition {
            PutCondition::Always => {
                let put = self.put(key, body, PutMode::Overwrite).await;
                return put.map(drop).map_err(|failed| failed.explain(key));
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
            Err(failed) => Err(failed.explain(key)),
        }
    }

    pub(super) async fn delete(&self, key: &Key) -> Result<()> {
        // `object_store` would not send it again after a lost answer.
        let path = self.path(key)?;
        let request = Plain::new(Method::DELETE, &path);
        match self.send(key, request).await {
            Err(failure) if !failure.is_not_found() => Err(failure),
            _ => Ok(()),
        }
    }
}
