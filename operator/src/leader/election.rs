//! Whose the Lease is, decided without a request: from what was read, and from when this machine saw it.
//!
//! The times in a record are written for people and never compared with the time here, because clocks differ. What
//! counts is for how long a record has stayed the same while it was looked at.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};

use super::clock::Moment;

/// For how long a record that does not change keeps others from taking the lease.
pub const DURATION: Duration = Duration::from_secs(15);

/// For how long after a renewal began its holder relies on it. The rest of [`DURATION`] is for requests that are on
/// their way, and for clocks that run at different speeds.
pub const CERTAIN: Duration = Duration::from_secs(10);

/// What one candidate has seen of the Lease.
#[derive(Debug)]
pub struct Election {
    identity: String,
    seen: Option<Seen>,
}

/// A record of somebody else.
#[derive(Debug)]
struct Seen {
    version: Option<String>,
    since: Moment,
}

impl Election {
    /// A candidate whose name no other has, nor had before.
    pub fn new(identity: String) -> Self {
        Self { identity, seen: None }
    }

    /// The record to write, given the Lease that was read at `now`; nothing while it is somebody else's.
    pub fn claim(&mut self, read: Option<&Lease>, now: Moment, wall: Timestamp) -> Option<LeaseSpec> {
        let record = read.and_then(|lease| lease.spec.clone()).unwrap_or_default();
        let holder = record.holder_identity.as_deref().unwrap_or_default();
        if holder == self.identity {
            return Some(LeaseSpec { renew_time: Some(MicroTime(wall)), ..record });
        }
        if !holder.is_empty() && !self.has_expired(read, &record, now) {
            return None;
        }
        Some(self.taken(&record, wall))
    }

    /// The record that gives the lease back, if it is this candidate's.
    pub fn release(&self, read: &Lease) -> Option<LeaseSpec> {
        let record =
            read.spec.clone().filter(|record| record.holder_identity.as_ref() == Some(&self.identity))?;
        Some(LeaseSpec { holder_identity: None, ..record })
    }

    /// Whether the holder let the time pass that it promised to renew the lease in.
    fn has_expired(&mut self, read: Option<&Lease>, record: &LeaseSpec, now: Moment) -> bool {
        let version = read.and_then(|lease| lease.metadata.resource_version.clone());
        let promised = record.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        match &self.seen {
            Some(seen) if seen.version == version => {
                now.saturating_sub(seen.since) >= promised.map_or(DURATION, Duration::from_secs)
            }
            _ => {
                self.seen = Some(Seen { version, since: now });
                false
            }
        }
    }

    fn taken(&self, before: &LeaseSpec, wall: Timestamp) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            acquire_time: Some(MicroTime(wall)),
            renew_time: Some(MicroTime(wall)),
            lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
            lease_transitions: Some(before.lease_transitions.map_or(0, |count| count.saturating_add(1))),
            ..LeaseSpec::default()
        }
    }
}

#[cfg(test)]
mod tests;
