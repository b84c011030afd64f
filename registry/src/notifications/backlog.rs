//! How much may wait for an endpoint that takes nothing, and what goes first when it is more.

use super::layout::{BatchKind, BatchName};

/// How many events may wait for one endpoint; of a kilobyte each, as a rule.
pub(super) const LIMIT: u64 = 100_000;

/// How many are left when it was more, so that not every event is followed by a look at the whole queue.
const LOW_WATER: u64 = LIMIT / 100 * 99;

/// How many events are in the batches.
pub(super) fn events(batches: &[BatchName]) -> u64 {
    batches.iter().map(|batch| u64::from(batch.length)).sum()
}

/// What has to go of batches that stand in their order: the oldest pulls, and the oldest of the others only when there
/// is too much without pulls, too.
pub(super) fn excess(batches: Vec<BatchName>) -> Vec<BatchName> {
    let mut left = events(&batches);
    let (pulls, changes) = batches.into_iter().partition(|batch| batch.kind == BatchKind::Pulls);
    let mut excess = oldest(pulls, &mut left);
    excess.extend(oldest(changes, &mut left));
    excess
}

/// The first of the batches, if there is too much, until there is no longer.
fn oldest(batches: Vec<BatchName>, left: &mut u64) -> Vec<BatchName> {
    if *left <= LIMIT {
        return Vec::new();
    }
    let goes = |batch: &BatchName| {
        let goes = *left > LOW_WATER;
        if goes {
            *left = left.saturating_sub(batch.length.into());
        }
        goes
    };
    batches.into_iter().take_while(goes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(stamp: u64, kind: BatchKind, length: u64) -> BatchName {
        BatchName { stamp, writer: 1, kind, length: u32::try_from(length).unwrap() }
    }

    #[test]
    fn what_is_within_the_limit_stays() {
        assert_eq!(excess(vec![batch(1, BatchKind::Pulls, LIMIT)]), []);
    }

    #[test]
    fn the_oldest_pulls_go_first() {
        let change = |stamp| batch(stamp, BatchKind::Changes, LIMIT / 2 - 1);
        let pull = |stamp| batch(stamp, BatchKind::Pulls, LIMIT / 100);
        let waiting = vec![change(1), pull(2), pull(3), change(4), pull(5)];
        assert_eq!(excess(waiting), [pull(2), pull(3), pull(5)]);
    }

    #[test]
    fn the_oldest_changes_go_when_there_are_too_many_without_pulls() {
        let change = |stamp| batch(stamp, BatchKind::Changes, LIMIT / 2);
        let pull = batch(3, BatchKind::Pulls, 1);
        let waiting = vec![change(1), change(2), pull.clone(), change(4)];
        assert_eq!(excess(waiting), [pull, change(1), change(2)]);
    }
}
