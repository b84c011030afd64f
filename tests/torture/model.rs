//! What was acknowledged and not deleted since.

use fastrand::Rng;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// A tag that a server has acknowledged.
#[derive(Debug, Clone)]
pub(crate) struct Tagged {
    pub(crate) repository: String,
    pub(crate) tag: String,
    /// The manifest that the tag points at, and those that it names.
    pub(crate) manifests: Vec<Vec<u8>>,
    /// The layers of all of them, and the config, which is layer 0.
    pub(crate) layers: BTreeSet<usize>,
}

/// All such tags. Who looks at one, or deletes it, takes it out meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Model(Mutex<Vec<Tagged>>);

impl Model {
    pub(crate) fn add(&self, tagged: Tagged) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(tagged);
    }

    /// Takes any of them out, if there are more than `left`.
    pub(crate) fn take(&self, random: &mut Rng, left: usize) -> Option<Tagged> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let length = all.len();
        (length > left).then(|| all.swap_remove(random.usize(..length)))
    }

    pub(crate) fn all(&self) -> Vec<Tagged> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
