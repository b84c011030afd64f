//! How fast things go on a storage. Clients have to be faster than collectors, or else they only repeat what they did.

use std::time::Duration;

/// Times of collections, and what follows for clients.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// What is younger is not put into quarantine, in seconds.
    pub(crate) minimum_age: u64,
    /// How long garbage rests in quarantine, in seconds.
    pub(crate) quarantine: u64,
}

impl Pace {
    /// As fast as running servers allow.
    pub(crate) const FILESYSTEM: Self = Self { minimum_age: 2, quarantine: 5 };

    /// A push takes some dozens of requests to the S3 server, which has to share the machine with all others.
    pub(crate) const S3: Self = Self { minimum_age: 4, quarantine: 8 };

    /// For how long a client may count on what it was told: the quarantine, less the age of what a server knows of it.
    pub(crate) fn promise(self) -> Duration {
        Duration::from_secs(self.quarantine - 2)
    }
}
