//! What was found at the last look, so that a report of a node causes a look only at those Registries that it changes anything for.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, PoisonError},
};

use crate::nodes::{Listing, RollCall, Tally};

/// By the keys of the Registries.
#[derive(Debug, Default)]
pub(super) struct Told(Mutex<HashMap<String, Last>>);

#[derive(Debug)]
struct Last {
    listing: Option<Listing>,
    tally: Tally,
}

impl Told {
    pub(super) fn remember(&self, key: &str, listing: Option<&Listing>, tally: &Tally) {
        let last = Last { listing: listing.cloned(), tally: tally.clone() };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned(), last);
    }

    pub(super) fn forget(&self, key: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    /// The keys of which nodes are not told any more what was last found.
    pub(super) fn changed(&self, listings: &BTreeMap<String, Listing>) -> Vec<String> {
        self.select(|key, last| listings.get(key) != last.listing.as_ref())
    }

    /// The keys of which nodes report something else than was last found.
    pub(super) fn counted_otherwise(&self, nodes: &RollCall) -> Vec<String> {
        self.select(|key, last| {
            last.listing.as_ref().is_some_and(|listing| nodes.tally(key, listing.revision) != last.tally)
        })
    }

    fn select(&self, differs: impl Fn(&str, &Last) -> bool) -> Vec<String> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().filter(|(key, last)| differs(key, last)).map(|(key, _)| key.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_looked_at_again() {
        let told = Told::default();
        let listing = |revision| Listing { revision, ..Listing::default() };
        told.remember("a.hub", Some(&listing(1)), &Tally::default());
        told.remember("b.hub", Some(&listing(2)), &Tally::default());
        let now = BTreeMap::from([("a.hub".to_owned(), listing(1)), ("b.hub".to_owned(), listing(3))]);
        assert_eq!(told.changed(&now), ["b.hub"]);
        assert!(told.counted_otherwise(&RollCall::default()).is_empty());
        told.forget("b.hub");
        assert!(told.changed(&now).is_empty());
    }
}
