//! How long nothing may happen on a connection, and how many connections there may be.
//!
//! Nothing here limits how long a request may take: a layer may be large and a line slow.

use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The limits of a server.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long a TLS handshake may take.
    pub handshake: Duration,
    /// How long a client may be silent in the middle of a body, or read nothing of an answer.
    pub stall: Duration,
    /// How long the rest of a body is waited for that the answer did not need, so that the connection can go on.
    pub unwanted: Duration,
    /// How long a connection may be without a request that this server works on; a head that has not come to its end is none
    /// yet. It is looked at in steps of this length: after one to two of them the connection is to end, and after one more it
    /// is ended, where the client has begun something that does not end.
    pub idle: Duration,
    /// How many connections there may be at a time. Others wait in the queue of the system.
    pub connections: usize,
}

impl Limits {
    /// The usual limits, and as many connections as this process may have. Raises that number as far as the system
    /// lets it.
    pub(super) fn of_this_process() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            stall: Duration::from_mins(2),
            unwanted: Duration::from_secs(1),
            idle: Duration::from_secs(90),
            connections: connections(raise_open_files()),
        }
    }
}

/// Most connections are idle, and one that pulls has a file open besides: a quarter of the descriptors is left to files.
fn connections(open_files: usize) -> usize {
    (open_files - open_files / 4).clamp(1, tokio::sync::Semaphore::MAX_PERMITS)
}

/// How many files this process may have open.
pub fn open_files() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Sets the limit of open files to the highest that an unprivileged process may choose, and returns it.
fn raise_open_files() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let current = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::debug!(%error, "the limit of open files stays as it is");
            limit.current
        }
    };
    current.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_of_the_descriptors_is_left_to_files() {
        assert_eq!(connections(1024), 768);
        assert_eq!(connections(0), 1);
        assert_eq!(connections(usize::MAX), tokio::sync::Semaphore::MAX_PERMITS);
    }
}
