//! Writes what nodes are told of a Registry: its key in the ConfigMap that all Registries share.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::nodes::{Listing, listings, revision};

/// What nodes are told now.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Published {
    /// Of the Registry; nothing, if it has nothing to tell.
    pub(super) listing: Option<Listing>,
    /// Names that another Registry has already.
    pub(super) taken: Vec<String>,
}

/// Makes nodes be told this of a Registry, but for the names that another has. Nobody else may write meanwhile. `None` says that
/// there is no ConfigMap to write to.
pub(super) async fn publish(
    config_maps: &Api<ConfigMap>,
    name: &str,
    key: &str,
    wanted: Listing,
) -> Result<Option<Published>, kube::Error> {
    let Some(live) = config_maps.get_opt(name).await? else { return Ok(None) };
    let known = listings(&live);
    let published = decide(&known, key, wanted, Timestamp::now());
    if known.get(key) != published.listing.as_ref() {
        let text = published.listing.as_ref().map(|listing| json!(listing).to_string());
        write(config_maps, name, BTreeMap::from([(key, text)])).await?;
    }
    Ok(Some(published))
}

/// Removes keys.
pub(super) async fn remove(
    config_maps: &Api<ConfigMap>,
    name: &str,
    keys: &[String],
) -> Result<(), kube::Error> {
    write(config_maps, name, keys.iter().map(|key| (key.as_str(), None)).collect()).await
}

async fn write(
    config_maps: &Api<ConfigMap>,
    name: &str,
    keys: BTreeMap<&str, Option<String>>,
) -> Result<(), kube::Error> {
    // A merge leaves the keys of others alone, and a key without a value goes.
    let patch: Value = json!({"data": keys});
    config_maps.patch(name, &PatchParams::default(), &Patch::Merge(&patch)).await.map(drop)
}

fn decide(known: &BTreeMap<String, Listing>, key: &str, mut wanted: Listing, now: Timestamp) -> Published {
    let others = known.iter().filter(|(other, _)| *other != key);
    let theirs: BTreeSet<&str> =
        others.flat_map(|(_, listing)| &listing.entries).map(|entry| entry.host.as_str()).collect();
    let is_taken = |host: &str| theirs.contains(host);
    let taken = wanted.entries.iter().map(|entry| entry.host.clone()).filter(|host| is_taken(host)).collect();
    wanted.entries.retain(|entry| !is_taken(&entry.host));
    let before = known.get(key).filter(|before| before.says_the_same_as(&wanted));
    // Seconds grow too where everything that was known was lost.
    wanted.revision =
        before.map_or_else(|| now.as_second().max(revision(known.values()) + 1), |before| before.revision);
    Published { listing: Some(wanted).filter(|wanted| !wanted.entries.is_empty()), taken }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nodes::Entry;

    fn listing(revision: i64, hosts: &[&str]) -> Listing {
        let entry =
            |&host: &&str| Entry { host: host.to_owned(), endpoints: Vec::new(), fallback: None, path: None };
        Listing { revision, ca: None, entries: hosts.iter().map(entry).collect() }
    }

    fn known(listings: &[(&str, Listing)]) -> BTreeMap<String, Listing> {
        listings.iter().map(|(key, listing)| ((*key).to_owned(), listing.clone())).collect()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn what_nodes_know_already_keeps_its_revision() {
        let known = known(&[("a.hub", listing(7, &["hub"])), ("b.hub", listing(9, &["other"]))]);
        let same = decide(&known, "a.hub", listing(0, &["hub"]), at(100));
        assert_eq!(same.listing, Some(listing(7, &["hub"])));
    }

    #[test]
    fn a_change_is_later_than_every_other() {
        let known = known(&[("a.hub", listing(7, &["hub"])), ("b.hub", listing(900, &["other"]))]);
        assert_eq!(decide(&known, "a.hub", listing(0, &["x"]), at(100)).listing.unwrap().revision, 901);
        assert_eq!(
            decide(&BTreeMap::new(), "a.hub", listing(0, &["x"]), at(100)).listing.unwrap().revision,
            100
        );
    }

    #[test]
    fn a_name_is_that_of_the_registry_that_had_it_first() {
        let known = known(&[("a.hub", listing(7, &["docker.io"]))]);
        let second = decide(&known, "b.hub", listing(0, &["docker.io", "hub"]), at(100));
        assert_eq!(second.taken, ["docker.io"]);
        assert_eq!(second.listing, Some(listing(100, &["hub"])));
    }

    #[test]
    fn a_registry_with_nothing_to_tell_is_not_listed() {
        let known = known(&[("a.hub", listing(7, &["hub"]))]);
        assert_eq!(decide(&known, "a.hub", listing(0, &[]), at(100)).listing, None);
    }
}
