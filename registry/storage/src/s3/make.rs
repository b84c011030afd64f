//! Makes the bucket, where the configuration asks for that.

use std::io;

use hyper::Method;
use object_store::path::Path;

use super::bucket::Bucket;
use super::request::Plain;
use crate::{Error, Key, Result};

/// The region of buckets that are made without naming one.
const UNNAMED_REGION: &str = "us-east-1";

impl Bucket {
    /// Makes the bucket if it does not exist, and says whether it did. It may be done by several at once.
    ///
    /// An existing bucket is not looked at any closer: what it allows shows when it is used.
    pub(super) async fn make(&self) -> Result<bool> {
        match self.look().await {
            Err(Error::Other { source, .. }) if is_missing(&source) => {}
            looked => return looked.map(|()| false),
        }
        let body = configuration(&self.settings.region).into();
        match self.send(&Key::default(), Plain { body, ..Plain::new(Method::PUT, &Path::default()) }).await {
            // Somebody else was faster.
            Err(Error::Other { source, .. }) if source.to_string().contains("BucketAlreadyOwnedByYou") => {
                Ok(false)
            }
            made => made.map(|_| true),
        }
    }

    /// Succeeds if the bucket can be listed.
    async fn look(&self) -> Result<()> {
        let query = [("list-type", "2"), ("max-keys", "1")];
        let query = query.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        self.send(&Key::default(), Plain { query, ..Plain::new(Method::GET, &Path::default()) })
            .await
            .map(drop)
    }
}

fn is_missing(failure: &io::Error) -> bool {
    failure.to_string().contains("NoSuchBucket")
}

/// What S3 wants to be told of a new bucket. Of its first region it wants to be told nothing.
fn configuration(region: &str) -> String {
    if region == UNNAMED_REGION {
        return String::new();
    }
    format!(
        "<CreateBucketConfiguration><LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_is_named_unless_it_is_the_first() {
        assert_eq!(configuration("us-east-1"), "");
        assert!(configuration("eu-central-1").contains("<LocationConstraint>eu-central-1<"));
    }
}
