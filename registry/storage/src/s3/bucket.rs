//! The bucket: what all operations share.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use object_store::aws::{AmazonS3, AmazonS3Builder, S3ConditionalPut};
use object_store::path::Path;
use object_store::{
    Attribute, AttributeValue, Attributes, ObjectMeta as S3Meta, ObjectStore as _, PutMode, PutOptions,
    PutPayload, RetryConfig,
};

use super::checksums::Checksums;
use super::conditions::Conditions;
use super::endpoint::Place;
use super::http::Connections;
use super::settings::{Encryption, Endpoint, S3Settings};
use super::{attempts, credentials, endpoint, error};
use crate::object_store::Stamp;
use crate::{Error, Key, ObjectMeta, Result, Version};

/// A bucket, or the part of it below a prefix.
#[derive(Debug)]
pub(super) struct Bucket {
    pub(super) client: AmazonS3,
    /// The same bucket as clients reach it. Nothing is sent by it.
    pub(super) public: AmazonS3,
    /// The same client, which sends a request once only: for those that mean something else when they are done twice.
    pub(super) client_of_one_attempt: AmazonS3,
    pub(super) connections: Connections,
    pub(super) settings: S3Settings,
    pub(super) conditions: Conditions,
    pub(super) checksums: Checksums,
}

impl Bucket {
    pub(super) fn open(settings: S3Settings, variable: impl Fn(&str) -> Option<String>) -> io::Result<Self> {
        let connections = Connections::new(&settings.trust, &settings.requests)?;
        let again = || attempts::policy(&settings.requests);
        let here = &settings.endpoint;
        let client = client_at(here, &settings, &connections, again(), |builder| {
            credentials::add(builder, settings.credentials.as_ref(), variable)
        })?;
        // Temporary credentials are fetched once for all.
        let same = |builder: AmazonS3Builder| builder.with_credentials(Arc::clone(client.credentials()));
        let public = match &settings.public_endpoint {
            Some(endpoint) => client_at(endpoint, &settings, &connections, again(), same)?,
            None => client.clone(),
        };
        let once = RetryConfig { max_retries: 0, ..RetryConfig::default() };
        let client_of_one_attempt = client_at(here, &settings, &connections, once, same)?;
        let conditions = Conditions::new(settings.writing.conditional);
        let checksums = Checksums::new(&place(here, &settings));
        Ok(Self { client, public, client_of_one_attempt, connections, settings, conditions, checksums })
    }

    /// The name of `key` in the bucket.
    pub(super) fn path(&self, key: &Key) -> Result<Path> {
        let name = match (self.settings.root.as_str(), key.as_str()) {
            ("", name) | (name, "") => name.to_owned(),
            (root, name) => format!("{root}/{name}"),
        };
        Path::parse(name).map_err(|invalid| error::explain(key, invalid.into()))
    }

    /// What the names of everything below `key` start with.
    pub(super) fn prefix(&self, key: &Key) -> Result<String> {
        let path = self.path(key)?;
        Ok(if path.as_ref().is_empty() { String::new() } else { format!("{path}/") })
    }

    /// The key whose name is `path`. There is none for what others keep in the bucket.
    pub(super) fn key(&self, path: &Path) -> Option<Key> {
        let name = match self.settings.root.as_str() {
            "" => path.as_ref(),
            root => path.as_ref().strip_prefix(root)?.strip_prefix('/')?,
        };
        name.parse().ok()
    }

    /// What a new object is given beside its bytes.
    pub(super) fn attributes(&self) -> Attributes {
        let class = self.settings.writing.storage_class.clone();
        class.into_iter().map(|class| (Attribute::StorageClass, AttributeValue::from(class))).collect()
    }

    /// Puts an object in one request, and returns its tag.
    pub(super) async fn put(
        &self,
        key: &Key,
        body: impl Into<PutPayload>,
        mode: PutMode,
    ) -> Result<Option<String>, Failed> {
        let options = PutOptions { mode, attributes: self.attributes(), ..PutOptions::default() };
        let put =
            self.client.put_opts(&self.path(key).map_err(Failed::Otherwise)?, body.into(), options).await;
        put.map(|put| put.e_tag).map_err(|failure| Failed::from(key, failure))
    }
}

/// Why an object was not put.
#[derive(Debug)]
pub(super) enum Failed {
    /// The condition does not hold.
    Condition,
    /// The condition does not hold any more: perhaps the object was put, and then replaced by somebody else.
    Unknown,
    /// The server knows no such condition.
    NotImplemented,
    Otherwise(Error),
}

fn place(endpoint: &Endpoint, settings: &S3Settings) -> Place {
    endpoint::place(endpoint, &settings.bucket, &settings.region)
}

/// A client of the bucket at an endpoint.
fn client_at(
    endpoint: &Endpoint,
    settings: &S3Settings,
    connections: &Connections,
    attempts: RetryConfig,
    with_credentials: impl FnOnce(AmazonS3Builder) -> AmazonS3Builder,
) -> io::Result<AmazonS3> {
    let place = place(endpoint, settings);
    let builder = AmazonS3Builder::new()
        .with_http_connector(connections.clone())
        .with_bucket_name(&settings.bucket)
        .with_region(&settings.region)
        // Over TLS nobody changes a body on its way; hashing each once more would cost a core at 1 GB/s.
        .with_unsigned_payload(place.is_over_tls())
        .with_endpoint(place.url)
        .with_virtual_hosted_style_request(place.is_virtual_hosted)
        // One object at a time goes by the request that every server knows.
        .with_disable_bulk_delete(true)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_retry(attempts);
    let builder = encrypted(builder, &settings.writing.encryption).map_err(io::Error::other)?;
    with_credentials(builder).build().map_err(io::Error::other)
}

impl Failed {
    pub(super) fn from(key: &Key, failure: object_store::Error) -> Self {
        if error::is_unmet_condition(&failure) {
            Self::Condition
        } else if error::is_not_implemented(&failure) {
            Self::NotImplemented
        } else {
            Self::Otherwise(error::explain(key, failure))
        }
    }

    /// What it means for whoever does not ask for the condition.
    pub(super) fn explain(self, key: &Key) -> Error {
        let (key, says) = (key.clone(), |text: &'static str| io::Error::other(text));
        match self {
            Self::Otherwise(failure) => failure,
            Self::Condition => {
                Error::Unavailable { key, source: says("the S3 server has another request for the object") }
            }
            Self::Unknown => {
                Error::Unavailable { key, source: says("nobody knows whether the object was put") }
            }
            Self::NotImplemented => {
                Error::Other { key, source: says("the S3 server does not implement this request") }
            }
        }
    }
}

/// Who encrypts is a setting that `object_store` takes by its name only.
fn encrypted(builder: AmazonS3Builder, encryption: &Encryption) -> object_store::Result<AmazonS3Builder> {
    let encryption = match encryption {
        Encryption::Bucket => return Ok(builder),
        Encryption::Kms(Some(id)) => return Ok(builder.with_sse_kms_encryption(id)),
        Encryption::Kms(None) => "sse:kms",
        Encryption::S3 => "AES256",
    };
    Ok(builder.with_config("aws_server_side_encryption".parse()?, encryption))
}

/// What S3 says about the object `key`.
pub(super) fn meta(key: Key, meta: &S3Meta) -> ObjectMeta {
    // A list tells the time more exactly than the answer about a single object does.
    let seconds = u64::try_from(meta.last_modified.timestamp()).unwrap_or_default();
    ObjectMeta {
        key,
        size: meta.size,
        modified: SystemTime::UNIX_EPOCH + Duration::from_secs(seconds),
        version: meta.e_tag.clone().map(|tag| Version(Stamp::Tag(tag))),
    }
}
