//! When to ask the replicas again while some have not loaded the newest files: often at first, less often the longer it takes.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::{LiveFiles, Loaded};
use crate::backoff::RegistryKey;

const FIRST: Duration = Duration::from_secs(1);

/// Files reach a pod within two minutes, poked or not.
const LONGEST: Duration = Duration::from_secs(15);

/// Whoever cannot be asked may stay so, as where the operator runs outside of the cluster's network.
const LONGEST_UNANSWERED: Duration = Duration::from_mins(5);

/// Since when the replicas of which Registries are waited for, and with which files.
#[derive(Debug, Default)]
pub struct Waiting(Mutex<HashMap<RegistryKey, (String, Instant)>>);

impl Waiting {
    /// When to ask the replicas of a Registry again; not at all when they have everything.
    pub fn next_look(
        &self,
        registry: RegistryKey,
        files: &LiveFiles,
        loaded: &Loaded,
        now: Instant,
    ) -> Option<Duration> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(longest) = longest(files, loaded) else {
            waiting.remove(&registry);
            return None;
        };
        let hash = files.hash();
        let since = match waiting.get(&registry) {
            Some((known, since)) if *known == hash => *since,
            _ => now,
        };
        waiting.insert(registry, (hash, since));
        Some((now.duration_since(since) / 4).clamp(FIRST, longest))
    }

    /// Forgets a Registry that is gone.
    pub fn forget(&self, registry: &RegistryKey) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(registry);
    }
}

/// The longest pause; `None` when nobody is waited for.
fn longest(files: &LiveFiles, loaded: &Loaded) -> Option<Duration> {
    let mut missing = loaded.replicas.iter().filter(|replica| !files.are_in(replica)).peekable();
    missing.peek()?;
    Some(if missing.any(|replica| replica.files.is_ok()) { LONGEST } else { LONGEST_UNANSWERED })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::loaded::{
        Unasked,
        tests::{Told, loaded},
    };

    const OLD: Told<'static> = Ok(&[("/users", "sha256:1")]);
    const NEW: Told<'static> = Ok(&[("/users", "sha256:2")]);

    /// The pause after each of these seconds.
    fn pauses(replica: Told<'_>, seconds: &[u64]) -> Vec<Option<u64>> {
        let (waiting, start) = (Waiting::default(), Instant::now());
        let files = LiveFiles::of_one("/users", "sha256:2");
        let look = |second: &u64| {
            let key = ("default".to_owned(), "hub".to_owned());
            let now = start + Duration::from_secs(*second);
            waiting.next_look(key, &files, &loaded(&[NEW, replica]), now).map(|pause| pause.as_secs())
        };
        seconds.iter().map(look).collect()
    }

    #[test]
    fn pauses_grow_while_a_replica_has_older_files() {
        assert_eq!(pauses(OLD, &[0, 1, 8, 40, 600]), [1, 1, 2, 10, 15].map(Some));
    }

    #[test]
    fn a_replica_that_cannot_be_asked_is_asked_less_and_less() {
        assert_eq!(pauses(Err(Unasked::NoAnswer), &[0, 40, 600, 6000]), [1, 10, 150, 300].map(Some));
    }

    #[test]
    fn nobody_is_asked_again_when_all_have_the_files() {
        assert_eq!(pauses(NEW, &[0, 10]), [None, None]);
    }

    #[test]
    fn other_files_begin_anew() {
        let (waiting, start) = (Waiting::default(), Instant::now());
        let key = || ("default".to_owned(), "hub".to_owned());
        let later = start + Duration::from_mins(1);
        let first = LiveFiles::of_one("/users", "sha256:2");
        let second = LiveFiles::of_one("/users", "sha256:3");
        waiting.next_look(key(), &first, &loaded(&[OLD]), start);
        assert_eq!(waiting.next_look(key(), &second, &loaded(&[OLD]), later), Some(FIRST));
    }
}
