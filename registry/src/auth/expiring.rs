//! A bounded memory whose entries expire.

use std::collections::HashMap;

use tokio::time::Instant;

use super::keyed_hash::Tag;

/// How many entries are remembered.
const CAPACITY: usize = 4096;

/// Values under tags, each until its time.
#[derive(Debug)]
pub(super) struct Expiring<V>(HashMap<Tag, (Instant, V)>);

impl<V> Default for Expiring<V> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<V> Expiring<V> {
    /// What is remembered under the tag.
    pub(super) fn get(&self, tag: &Tag, now: Instant) -> Option<&V> {
        self.0.get(tag).filter(|(until, _)| now < *until).map(|(_, value)| value)
    }

    /// Until when something is remembered under the tag.
    pub(super) fn until(&self, tag: &Tag, now: Instant) -> Option<Instant> {
        self.0.get(tag).map(|(until, _)| *until).filter(|until| now < *until)
    }

    /// Remembers a value until then.
    pub(super) fn insert(&mut self, tag: Tag, value: V, until: Instant, now: Instant) {
        if self.0.len() >= CAPACITY {
            self.0.retain(|_, (until, _)| now < *until);
        }
        if self.0.len() >= CAPACITY {
            // All are fresh. Whoever has filled the memory has paid for each entry, with a bcrypt or a token, and
            // forgetting all needs no order of use.
            self.0.clear();
        }
        self.0.insert(tag, (until, value));
    }

    /// Forgets what is remembered under the tag.
    pub(super) fn remove(&mut self, tag: &Tag) {
        self.0.remove(tag);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn tag(number: usize) -> Tag {
        let mut tag = [0; 32];
        tag[..8].copy_from_slice(&number.to_be_bytes());
        tag
    }

    #[test]
    fn an_entry_lasts_until_its_time() {
        let (mut memory, now) = (Expiring::default(), Instant::now());
        let until = now + Duration::from_secs(1);
        memory.insert(tag(1), "x", until, now);
        assert_eq!(memory.get(&tag(1), now), Some(&"x"));
        assert_eq!(memory.get(&tag(2), now), None);
        assert_eq!(memory.get(&tag(1), until), None);
        memory.remove(&tag(1));
        assert_eq!(memory.get(&tag(1), now), None);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_what_has_expired_goes_first() {
        let (mut memory, now) = (Expiring::default(), Instant::now());
        let (soon, later) = (now + Duration::from_secs(1), now + Duration::from_secs(2));
        for number in 0..CAPACITY {
            memory.insert(tag(number), (), if number == 0 { later } else { soon }, now);
        }
        memory.insert(tag(CAPACITY), (), later, soon);
        assert!(memory.get(&tag(0), soon).is_some());
        for number in 0..=CAPACITY {
            memory.insert(tag(number), (), later, now);
        }
        assert!(memory.0.len() <= CAPACITY);
    }
}
