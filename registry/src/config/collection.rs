//! `garbagecollection`: the garbage collection by schedule.

use std::time::Duration;

/// How often garbage is collected, and what of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CollectionSchedule {
    /// From the beginning of one run to that of the next.
    pub interval: Duration,
    /// What is younger is spared.
    pub minimum_age: Duration,
    /// Whether manifests that no tag leads to are garbage as well.
    pub delete_untagged: bool,
}
