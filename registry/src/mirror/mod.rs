//! Mirrors of other registries: what is pulled through them comes from upstream once, and from the storage from then on.
//!
//! What they store are ordinary repositories below their prefixes, which any process that shares the storage can read. What is
//! going on is known to one process only: each asks upstream for itself.
//!
//! | question | place |
//! |---|---|
//! | which mirrors there are now | `table` |
//! | what they do by themselves | `tasks`, which begin `prefetch` and `eviction` |
//! | which name is which | `names` |
//! | what upstream is asked | `source`, which is a client of `upstream` |
//! | how a blob is fetched once for everybody | `flight`, `follower`, `spool`, `download`; `blobs` begins them |
//! | whether a tag still leads to the same image | `freshness`, `manifests` |
//! | what refers to an image, and which tags there are | `lists` |
//! | what happens when the storage takes nothing in | `passing` |
//! | what is removed for want of room, or of interest | `eviction`, when `fill` says so |
//! | what is fetched before somebody asks | `prefetch` |

mod blobs;
mod download;
mod error;
mod eviction;
mod fill;
mod flight;
mod follower;
mod freshness;
mod lists;
mod manifests;
mod names;
mod passing;
mod prefetch;
mod source;
mod spool;
mod table;
mod tasks;
#[cfg(test)]
mod testing;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, atomic::AtomicBool},
    time::Duration,
};

use berth_oci::{Digest, RepositoryName, Tag};
use tokio::sync::Semaphore;

pub use self::{
    error::{Error, Result},
    manifests::{Found, Freshly},
    table::Mirrors,
};
use self::{
    fill::Fill,
    flight::Flight,
    freshness::{Freshness, Rest},
    names::Names,
    source::Source,
};
use crate::{
    config::{self, MirrorCredentials},
    metrics,
    upstream::{self, Credentials, Settings, Upstream},
};

/// How many blobs are fetched from one upstream at once; further ones wait.
const DOWNLOADS: usize = 24;

/// How many clients may have parts of blobs fetched for themselves at once, because the whole is not that far.
const PARTS: usize = 8;

/// What is under way, by the repository here and the digest.
type Flights = HashMap<(RepositoryName, Digest), Arc<Flight>>;

/// A mirror of one other registry.
#[derive(Debug)]
pub struct Mirror {
    /// What it was made from, by which it is known again.
    configured: config::Mirror,
    names: Names,
    source: Arc<dyn Source>,
    offline: bool,
    /// How much it may take, in bytes.
    limit: Option<u64>,
    fill: Arc<Fill>,
    /// What nobody has pulled for so long is removed.
    keep: Option<Duration>,
    prefetch: Option<config::Prefetch>,
    /// Whether somebody has begun with what it does by itself.
    is_attended: AtomicBool,
    flights: Arc<Mutex<Flights>>,
    downloads: Arc<Semaphore>,
    parts: Arc<Semaphore>,
    tags: Freshness<(RepositoryName, Tag)>,
    /// Manifests that are being fetched by their digests; once they are here, they are asked for no more.
    fetches: Freshness<(RepositoryName, Digest)>,
    referrers: Freshness<(RepositoryName, Digest)>,
    /// Of questions for manifests and lists.
    rest: Rest,
    /// Of those for blobs, which public registries do not count.
    rest_of_blobs: Rest,
    metrics: metrics::Mirrors,
}

impl Mirror {
    fn open(mirror: &config::Mirror, metrics: metrics::Mirrors) -> upstream::Result<Self> {
        let settings = Settings {
            credentials: credentials(&mirror.credentials),
            authorities: mirror.ca.clone(),
            ..Settings::new(mirror.url.clone())
        };
        Ok(Self::new(mirror, Arc::new(Upstream::new(settings)?), metrics))
    }

    fn new(mirror: &config::Mirror, source: Arc<dyn Source>, metrics: metrics::Mirrors) -> Self {
        Self {
            configured: mirror.clone(),
            names: Names::new(mirror.upstream.clone(), mirror.prefix.clone(), &mirror.url),
            source,
            offline: mirror.offline,
            limit: mirror.limit,
            fill: Arc::new(Fill::new(mirror.limit)),
            keep: mirror.keep,
            prefetch: mirror.prefetch.clone(),
            is_attended: AtomicBool::new(false),
            flights: Arc::default(),
            downloads: Arc::new(Semaphore::new(DOWNLOADS)),
            parts: Arc::new(Semaphore::new(PARTS)),
            tags: Freshness::new(mirror.ttl),
            fetches: Freshness::new(Duration::ZERO),
            referrers: Freshness::new(mirror.ttl),
            rest: Rest::default(),
            rest_of_blobs: Rest::default(),
            metrics,
        }
    }

    /// The host of the registry that is mirrored.
    pub fn upstream(&self) -> &str {
        self.names.upstream()
    }

    /// The name at the upstream of a repository here.
    fn name_there(&self, name: &RepositoryName) -> Result<RepositoryName> {
        self.names.at_upstream(name).ok_or(Error::NotFound)
    }

    /// What has come of a question to upstream, which is counted, and may want to be left alone now.
    fn heard<T>(&self, answer: upstream::Result<T>) -> Result<T> {
        self.heard_of(&self.rest, answer)
    }

    /// The same of a question for a blob.
    fn heard_of_blob<T>(&self, answer: upstream::Result<T>) -> Result<T> {
        self.heard_of(&self.rest_of_blobs, answer)
    }

    fn heard_of<T>(&self, rest: &Rest, answer: upstream::Result<T>) -> Result<T> {
        if let Some(remaining) = self.source.rate_limit().and_then(|limit| limit.remaining) {
            self.metrics.remaining(self.upstream(), remaining);
        }
        let error = match answer {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        if let Some(reason) = reason(&error) {
            self.metrics.failed(self.upstream(), reason);
        }
        match &error {
            upstream::Error::RateLimited { retry_after, .. } => rest.begin(*retry_after, true),
            error if error.is_temporary() => rest.begin(None, false),
            _ => {}
        }
        Err(error.into())
    }
}

/// A failure as the metrics call it; what is not there is none.
fn reason(error: &upstream::Error) -> Option<&'static str> {
    Some(match error {
        upstream::Error::NotFound { .. } => return None,
        upstream::Error::RateLimited { .. } => "rate_limited",
        upstream::Error::Unauthorized { .. } => "unauthorized",
        upstream::Error::Denied { .. } => "denied",
        upstream::Error::Unavailable { .. } => "unavailable",
        _ => "invalid",
    })
}

fn credentials(credentials: &MirrorCredentials) -> Credentials {
    match credentials.clone() {
        MirrorCredentials::None => Credentials::Anonymous,
        MirrorCredentials::Password { username, password } => {
            Credentials::Password { user: username, password }
        }
        MirrorCredentials::PasswordFile { username, path } => {
            Credentials::PasswordFile { user: username, path }
        }
        MirrorCredentials::Exec { command, lifetime } => {
            Credentials::Helper { command: command.into(), lifetime }
        }
    }
}
