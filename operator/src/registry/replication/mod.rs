//! The copies of `spec.replication`: what they are called, and how they are asked for.

pub mod request;

use std::collections::BTreeSet;

use berth_crds::Registry;

use crate::{
    children::{ChildId, Kind},
    digest::sha256_hex,
    metadata::Identity,
};

/// The longest name that a CronJob may have: that of its Jobs is eleven characters longer.
const LONGEST_NAME: usize = 52;

/// The names of the copies that are asked for, and of those that were: what these have left is removed.
pub fn names(registry: &Registry) -> BTreeSet<&str> {
    let asked_for = registry.spec.replication.iter().flat_map(|replication| &replication.copies);
    let known = registry.status.as_ref().and_then(|status| status.replication.as_ref());
    let known = known.into_iter().flat_map(|replication| &replication.copies);
    asked_for.map(|copy| copy.name.as_str()).chain(known.map(|copy| copy.name.as_str())).collect()
}

/// The `CronJobs` of the same.
pub fn ids(registry: &Registry) -> Vec<ChildId> {
    let identity = Identity::of(registry);
    names(registry).into_iter().map(|copy| id(&identity, copy)).collect()
}

/// The CronJob of a copy: `NAME-copy-COPY`, or the beginning of that with a digest, where it is too long.
pub fn id(identity: &Identity, copy: &str) -> ChildId {
    let mut name = identity.child(&format!("copy-{copy}"));
    if name.len() > LONGEST_NAME {
        let digest = sha256_hex(name.as_bytes());
        name.truncate(LONGEST_NAME - 9);
        name = format!("{name}-{}", &digest[..8]);
    }
    ChildId::new(Kind::CronJob, name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fixtures;

    #[test]
    fn what_was_asked_for_before_is_known_too() {
        let mut registry = fixtures::registry("{replication: {copies: [{name: b, from: 'https://b'}]}}");
        let before =
            json!({"replication": {"copies": [{"name": "a", "currentAsOf": "2026-03-01T03:00:00Z"}]}});
        registry.status = serde_json::from_value(before).unwrap();
        let ids: Vec<_> = ids(&registry).into_iter().map(|id| id.name).collect();
        assert_eq!(ids, ["hub-copy-a", "hub-copy-b"]);
    }

    #[test]
    fn long_names_are_shortened_and_stay_different() {
        let identity = Identity::of(&fixtures::registry("{}"));
        let name = |last: &str| id(&identity, &format!("{}{last}", "x".repeat(48))).name;
        assert!(name("a").len() <= LONGEST_NAME && name("a") != name("b"), "{}", name("a"));
    }
}
