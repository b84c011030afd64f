//! When tags were last pulled, for the rules of retention, and only while there are any; and when the manifests of mirrors were,
//! for those that part with what nobody pulls.
//!
//! An empty object in the repository, `_berth/pulls/<tag>`, is put when a tag is pulled; its time is that of the pull. Each
//! server puts it at most once an hour for each tag, so that a time is known to an hour. Several servers may put it: each
//! of them only makes it younger.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use berth_oci::{Reference, RepositoryName};
use berth_storage::PutCondition;
use bytes::Bytes;

use crate::repository::{Repository, layout};

/// How often the pulls of one tag are noted.
const INTERVAL: Duration = Duration::from_hours(1);

/// Of so many tags the last note is remembered; beyond that, all are forgotten and noted once more.
const CAPACITY: usize = 100_000;

/// When this process last noted a pull.
#[derive(Debug, Default)]
pub(in crate::repository) struct Pulls(Mutex<HashMap<(RepositoryName, Reference), SystemTime>>);

impl Pulls {
    /// Whether a pull at that time is to be noted; if so, it counts as noted.
    fn is_due(&self, name: &RepositoryName, reference: &Reference, now: SystemTime) -> bool {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (name.clone(), reference.clone());
        let is_recent = |then: &SystemTime| now.duration_since(*then).is_ok_and(|age| age < INTERVAL);
        if noted.get(&key).is_some_and(is_recent) {
            return false;
        }
        if noted.len() >= CAPACITY {
            noted.clear();
        }
        noted.insert(key, now);
        true
    }
}

impl Repository {
    /// Notes in the background that the manifest was pulled, if rules of retention ask for it, or a mirror.
    pub fn note_pull(&self, reference: &Reference) {
        let is_selected = || self.rules.retention.iter().any(|rule| rule.applies_to(&self.name));
        let wanted = match reference {
            _ if self.rules.read_only => false,
            Reference::Tag(_) => self.is_mirrored() || is_selected(),
            Reference::Digest(_) => self.is_mirrored(),
        };
        if !wanted || !self.state.pulls.is_due(&self.name, reference, self.state.clock.now()) {
            return;
        }
        let key = match reference {
            Reference::Tag(tag) => layout::pulled(&self.name, tag),
            Reference::Digest(digest) => layout::pulled_manifest(&self.name, digest),
        };
        let state = std::sync::Arc::clone(&self.state);
        tokio::spawn(async move {
            if let Err(error) = state.store.put(&key, Bytes::new(), PutCondition::Always).await {
                tracing::warn!(%key, %error, "the time of a pull could not be noted");
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_noted_once_an_hour() {
        let (pulls, now) = (Pulls::default(), SystemTime::now());
        let (app, other): (RepositoryName, _) = ("app".parse().unwrap(), "other".parse().unwrap());
        let tag: Reference = "v1".parse().unwrap();
        assert!(pulls.is_due(&app, &tag, now) && pulls.is_due(&other, &tag, now));
        assert!(!pulls.is_due(&app, &tag, now + Duration::from_mins(59)));
        assert!(pulls.is_due(&app, &tag, now + INTERVAL));
    }
}
