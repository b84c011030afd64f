//! Latencies, each within one part in sixty-four.

use std::time::Duration;

/// How many slots each doubling has.
const STEPS: u64 = 64;

/// How often each latency was seen.
#[derive(Debug, Clone, Default)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Histogram {
    /// Counts one latency.
    pub(crate) fn add(&mut self, latency: Duration) {
        let slot = slot(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX));
        if self.counts.len() <= slot {
            self.counts.resize(slot + 1, 0);
        }
        self.counts[slot] += 1;
        self.total += 1;
    }

    /// Counts what another one has counted.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.counts.resize(self.counts.len().max(other.counts.len()), 0);
        self.counts.iter_mut().zip(&other.counts).for_each(|(count, more)| *count += more);
        self.total += other.total;
    }

    /// The latency that so many of a hundred did not exceed.
    pub(crate) fn percentile(&self, percent: u64) -> Option<Duration> {
        let wanted = (self.total * percent).div_ceil(100).max(1);
        let mut seen = 0;
        let found = self.counts.iter().position(|count| {
            seen += count;
            seen >= wanted
        });
        found.map(|slot| Duration::from_nanos(lower_end(slot)))
    }
}

fn slot(nanos: u64) -> usize {
    let shift = u64::from(nanos.max(STEPS).ilog2() - STEPS.ilog2());
    let slot = if nanos < STEPS { nanos } else { shift * STEPS + (nanos >> shift) };
    usize::try_from(slot).unwrap_or(usize::MAX)
}

fn lower_end(slot: usize) -> u64 {
    let slot = u64::try_from(slot).unwrap_or(u64::MAX);
    let shift = (slot / STEPS).saturating_sub(1);
    (slot - shift * STEPS) << shift
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_begins_within_one_part_in_sixty_four_below_what_it_holds() {
        for nanos in (0..200).chain([1_000, 123_456, 9_999_999, 60_000_000_000]) {
            let begins = lower_end(slot(nanos));
            assert!(begins <= nanos && nanos - begins <= nanos / STEPS, "{nanos} {begins}");
        }
    }

    #[test]
    fn percentiles_are_those_of_what_was_added() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.percentile(50), None);
        (1..=60).for_each(|nanos| histogram.add(Duration::from_nanos(nanos)));
        let mut all = Histogram::default();
        all.merge(&histogram);
        assert_eq!(all.percentile(50), Some(Duration::from_nanos(30)));
        assert_eq!(all.percentile(99), Some(Duration::from_nanos(60)));
    }
}
