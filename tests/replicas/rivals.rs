//! Tags that all workers move by compare-and-swap: of those that expect the same, one may succeed.

use anyhow::{Result, ensure};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The swaps of shared tags that were acknowledged: from what, to what, of which tag.
#[derive(Default)]
pub(crate) struct Swaps(Mutex<Vec<Swap>>);

struct Swap {
    tag: String,
    from: String,
    to: String,
}

impl Swaps {
    /// A server has acknowledged that it moved the tag.
    pub(crate) fn add(&self, tag: &str, from: &str, to: &str) {
        let swap = Swap { tag: tag.to_owned(), from: from.to_owned(), to: to.to_owned() };
        self.all().push(swap);
    }

    /// How many there were.
    pub(crate) fn acknowledged(&self) -> usize {
        self.all().len()
    }

    /// Each manifest is pushed once, so that a tag never comes back to where it was: whoever else succeeded from there has
    /// overwritten a swap without knowing it.
    pub(crate) fn check(&self) -> Result<()> {
        let all = self.all();
        let mut before = BTreeMap::<(&String, &String), &String>::new();
        for Swap { tag, from, to } in all.iter() {
            if let Some(rival) = before.insert((tag, from), to) {
                ensure!(rival == to, "{tag} was moved from {from} to both {rival} and {to}");
            }
        }
        Ok(())
    }

    fn all(&self) -> MutexGuard<'_, Vec<Swap>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
