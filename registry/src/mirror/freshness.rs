//! When tags and lists were last seen to be those of upstream, and when upstream wants to be left alone.
//!
//! It is known to this process only, and forgotten with it: then upstream is asked once more.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Mutex as AsyncMutex, OwnedMutexGuard},
    time::Instant,
};

/// Of so many things it is remembered; beyond that, all are forgotten.
const CAPACITY: usize = 100_000;

/// How long upstream is left alone when it does not say how long.
const REST: Duration = Duration::from_secs(5);

/// The longest time that it is left alone, whatever it says.
const LONGEST_REST: Duration = Duration::from_mins(15);

/// What is known of how fresh things are.
#[derive(Debug)]
pub(super) struct Freshness<K> {
    lifetime: Duration,
    seen: Mutex<HashMap<K, Instant>>,
    turns: Mutex<HashMap<K, Arc<AsyncMutex<()>>>>,
}

/// The right to ask upstream about one thing, which only one has at a time.
pub(super) struct Turn {
    _guard: OwnedMutexGuard<()>,
    since: Instant,
}

impl<K: Clone + Eq + Hash> Freshness<K> {
    pub(super) fn new(lifetime: Duration) -> Self {
        Self { lifetime, seen: Mutex::default(), turns: Mutex::default() }
    }

    /// Whether it may be told without asking.
    pub(super) fn is_fresh(&self, key: &K) -> bool {
        self.age(key).is_some_and(|age| age < self.lifetime)
    }

    fn age(&self, key: &K) -> Option<Duration> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(key).map(Instant::elapsed)
    }

    /// Waits until nobody else asks about it. `None` when somebody has done so meanwhile, with success.
    pub(super) async fn turn(&self, key: &K) -> Option<Turn> {
        let since = Instant::now();
        let turn = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
            Arc::clone(turns.entry(key.clone()).or_default())
        };
        let turn = Turn { _guard: turn.lock_owned().await, since };
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).get(key).copied();
        let is_seen = seen.is_some_and(|seen| seen >= turn.since || seen.elapsed() < self.lifetime);
        (!is_seen).then_some(turn)
    }

    /// Notes that upstream has it like this.
    pub(super) fn note(&self, key: &K) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= CAPACITY {
            seen.clear();
        }
        seen.insert(key.clone(), Instant::now());
    }

    /// Forgets all, so that upstream is asked again.
    pub(super) fn forget_all(&self) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// Until when upstream is left alone.
#[derive(Debug, Default)]
pub(super) struct Rest(Mutex<Option<Resting>>);

#[derive(Clone, Copy, Debug)]
struct Resting {
    until: Instant,
    is_wanted: bool,
}

impl Rest {
    /// How long it is still better left alone.
    pub(super) fn left(&self) -> Option<Duration> {
        self.current().map(|(left, _)| left)
    }

    /// How long it still wants to be left alone.
    pub(super) fn wanted(&self) -> Option<Duration> {
        self.current().filter(|(_, is_wanted)| *is_wanted).map(|(left, _)| left)
    }

    fn current(&self) -> Option<(Duration, bool)> {
        let Resting { until, is_wanted } = (*self.0.lock().unwrap_or_else(PoisonError::into_inner))?;
        let left = until.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some((left, is_wanted))
    }

    /// Leaves it alone for a while, because it wants so, or because it does not answer.
    pub(super) fn begin(&self, duration: Option<Duration>, is_wanted: bool) {
        let until = Instant::now() + duration.unwrap_or(REST).min(LONGEST_REST);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Resting { until, is_wanted });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_was_seen_is_fresh_for_its_lifetime() {
        let freshness = Freshness::new(Duration::from_mins(1));
        assert!(!freshness.is_fresh(&1));
        freshness.note(&1);
        tokio::time::advance(Duration::from_secs(59)).await;
        assert!(freshness.is_fresh(&1) && !freshness.is_fresh(&2));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!freshness.is_fresh(&1));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waited_for_an_answer_takes_it_even_if_nothing_stays_fresh() {
        let freshness = Freshness::new(Duration::ZERO);
        let turn = freshness.turn(&1).await.unwrap();
        let mut other = std::pin::pin!(freshness.turn(&1));
        assert!(futures::poll!(&mut other).is_pending());
        tokio::time::advance(Duration::from_secs(1)).await;
        freshness.note(&1);
        drop(turn);
        assert!(other.await.is_none());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(freshness.turn(&1).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn upstream_is_left_alone_as_it_wants() {
        let rest = Rest::default();
        assert_eq!(rest.left(), None);
        rest.begin(Some(Duration::from_secs(30)), true);
        tokio::time::advance(Duration::from_secs(29)).await;
        assert!(rest.wanted().is_some());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(rest.left(), None);
        rest.begin(Some(Duration::from_hours(9)), false);
        assert!(rest.left().unwrap() <= LONGEST_REST);
        assert_eq!(rest.wanted(), None);
    }
}
