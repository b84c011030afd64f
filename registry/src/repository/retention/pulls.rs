//! When tags were last pulled, for the rules of retention, and only while there are any; and when the manifests of mirrors were,
//! for those that part with what nobody pulls.
//!
//! An empty object in the repository, `_berth/pulls/<tag>`, is put when a tag is pulled; its time is that of the pull. Each
//! server puts it at most once an hour for each tag, so that a time is known to an hour. Several servers may put it: each
//! of them only makes it younger. Of its own pulls, a process knows the time.

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

/// When this process last served a pull, and when it last noted one.
#[derive(Debug, Default)]
pub(in crate::repository) struct Pulls(Mutex<HashMap<(RepositoryName, Reference), Last>>);

#[derive(Debug, Clone, Copy)]
struct Last {
    pulled: SystemTime,
    noted: SystemTime,
}

impl Pulls {
    /// Whether a pull at that time is to be noted; if so, it counts as noted.
    fn is_due(&self, name: &RepositoryName, reference: &Reference, now: SystemTime) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (name.clone(), reference.clone());
        let is_recent = |last: &Last| now.duration_since(last.noted).is_ok_and(|age| age < INTERVAL);
        if let Some(last) = known.get_mut(&key).filter(|last| is_recent(last)) {
            last.pulled = now;
            return false;
        }
        if known.len() >= CAPACITY {
            known.clear();
        }
        known.insert(key, Last { pulled: now, noted: now });
        true
    }

    /// When this process last served it, if it still knows.
    pub(in crate::repository) fn last(
        &self,
        name: &RepositoryName,
        reference: &Reference,
    ) -> Option<SystemTime> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&(name.clone(), reference.clone())).map(|last| last.pulled)
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
        assert_eq!(pulls.last(&app, &tag), Some(now + Duration::from_mins(59)));
        assert!(pulls.is_due(&app, &tag, now + INTERVAL));
    }
}
