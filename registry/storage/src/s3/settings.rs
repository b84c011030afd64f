//! How a bucket is reached and used, as the configuration says it.

use std::path::PathBuf;
use std::time::Duration;

/// The smallest part of a multipart upload that S3 takes, in bytes; the last part may be smaller.
pub const SMALLEST_PART: u64 = 5 * 1024 * 1024;

/// A bucket, and how it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Settings {
    /// The name of the bucket.
    pub bucket: String,
    /// The region; `us-east-1` where a server knows none.
    pub region: String,
    /// Where the server is; without it, the service of Amazon in the region.
    pub endpoint: Endpoint,
    /// Where clients find the same server, which are given URLs of it; `None` where they find it at `endpoint`.
    pub public_endpoint: Option<Endpoint>,
    /// Whether whoever opens the store should make the bucket if it does not exist.
    pub create_bucket: bool,
    /// The prefix of all keys, without a slash at either end; empty for the whole bucket.
    pub root: String,
    /// With which credentials; without them, those that the environment gives.
    pub credentials: Option<StaticCredentials>,
    /// How TLS is verified.
    pub trust: Trust,
    /// How objects are written.
    pub writing: Writing,
    /// How objects are copied within the bucket.
    pub copying: Copying,
    /// How requests are sent.
    pub requests: Requests,
}

/// Where an S3 server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// The service of Amazon.
    Amazon {
        /// By IPv6 as well.
        dual_stack: bool,
        /// Through the nearest edge location.
        accelerate: bool,
        /// With cryptography that is validated by FIPS 140.
        fips: bool,
    },
    /// A server of this URL, with scheme and without a path.
    Url {
        /// The URL.
        url: String,
        /// Whether the bucket stands in the path, and not in the name of the host.
        path_style: bool,
    },
}

/// An access key.
#[derive(Clone, PartialEq, Eq)]
pub struct StaticCredentials {
    /// Its name.
    pub access_key: String,
    /// Its secret.
    pub secret_key: String,
    /// What belongs to it when it is temporary.
    pub session_token: Option<String>,
}

impl std::fmt::Debug for StaticCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StaticCredentials").field("access_key", &self.access_key).finish_non_exhaustive()
    }
}

/// Which certificates a server may have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Trust {
    /// Those that the authorities of the system have signed.
    #[default]
    System,
    /// Those that the authorities in this file (PEM) have signed.
    File(PathBuf),
    /// Any.
    Anything,
}

/// How objects are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writing {
    /// The size of the parts of an upload, in bytes.
    pub part_size: u64,
    /// The class of storage; `None` leaves the choice to the server.
    pub storage_class: Option<String>,
    /// Who encrypts at rest.
    pub encryption: Encryption,
    /// Whether the server may be asked to refuse a write when its condition does not hold; whether it does so is
    /// tried. Without that, the last of several processes wins.
    pub conditional: bool,
}

/// Who encrypts objects at rest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Encryption {
    /// The bucket's own setting decides.
    #[default]
    Bucket,
    /// S3, with keys of its own.
    S3,
    /// The key management service, with this key or its default one.
    Kms(Option<String>),
}

/// How objects are copied within the bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copying {
    /// The size of the parts, in bytes.
    pub part_size: u64,
    /// How many parts are copied at once.
    pub concurrency: usize,
    /// Up to this size, in bytes, an object is copied by one request.
    pub threshold: u64,
}

/// How requests are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requests {
    /// How many may wait for their answer at once.
    pub concurrency: usize,
    /// How long the server may be silent before a request counts as failed.
    pub time_limit: Duration,
    /// How often one is sent again at most.
    pub retries: usize,
    /// What the server is told of the client.
    pub user_agent: Option<String>,
}

impl Default for Writing {
    fn default() -> Self {
        Self {
            part_size: 10 * 1024 * 1024,
            storage_class: None,
            encryption: Encryption::default(),
            conditional: true,
        }
    }
}

impl Default for Copying {
    fn default() -> Self {
        Self { part_size: 32 * 1024 * 1024, concurrency: 100, threshold: 32 * 1024 * 1024 }
    }
}

impl Default for Requests {
    fn default() -> Self {
        Self { concurrency: 128, time_limit: Duration::from_secs(30), retries: 6, user_agent: None }
    }
}
