//! What mirrors do by themselves, each for as long as it is in force.

use std::sync::{Arc, atomic::Ordering};

use super::{Mirrors, eviction, prefetch};
use crate::repository::Registry;

impl Mirrors {
    /// Begins it, where that has not happened: to fetch what is to be fetched beforehand, and to part with what may not be kept.
    pub fn attend(&self, registry: &Registry) {
        for mirror in self.current().iter() {
            if mirror.is_attended.swap(true, Ordering::Relaxed) {
                continue;
            }
            if let Some(wanted) = mirror.prefetch.clone() {
                tokio::spawn(prefetch::keep_fetching(Arc::downgrade(mirror), registry.clone(), wanted));
            }
            if mirror.has_bounds() {
                tokio::spawn(eviction::keep_evicting(self.clone(), Arc::downgrade(mirror), registry.clone()));
            }
        }
    }
}
