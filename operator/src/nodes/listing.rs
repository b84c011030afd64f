//! What nodes are told: for each Registry, under which names it is known and where these lead. The operator writes it, and the
//! node agents read it; there is nothing in it that would be a secret.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use serde::{Deserialize, Serialize};

use crate::backoff::RegistryKey;

/// What nodes are told of one Registry.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Listing {
    /// A number that grows with each change of anything that nodes are told. An agent that has taken over a later one has taken
    /// over this one as well.
    pub revision: i64,
    /// The authorities that vouch for the registry, PEM; without any, those that nodes trust anyway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// The names.
    pub entries: Vec<Entry>,
}

/// A name in image references, and where it leads.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// The name, with a port where references have one.
    pub host: String,
    /// The registry's addresses as `https://ADDRESS[:PORT]`, to be asked in this order.
    pub endpoints: Vec<String>,
    /// Whom to ask when the registry does not answer, where the name is another registry's that it mirrors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<String>,
    /// What stands before the names of that other registry at this one, for runtimes that do not say which registry they mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

impl Listing {
    /// Whether nodes learn the same from both, whatever their revisions.
    pub fn says_the_same_as(&self, other: &Self) -> bool {
        self.ca == other.ca && self.entries == other.entries
    }
}

/// The key of a Registry. No namespace has a dot in its name.
pub fn key(registry: &RegistryKey) -> String {
    format!("{}.{}", registry.0, registry.1)
}

/// The Registry of a key.
pub fn registry_of(key: &str) -> Option<RegistryKey> {
    let (namespace, name) = key.split_once('.')?;
    Some((namespace.to_owned(), name.to_owned()))
}

/// Everything that a ConfigMap tells, by the keys of the Registries. What cannot be read is left out.
pub fn listings(config_map: &ConfigMap) -> BTreeMap<String, Listing> {
    let data = config_map.data.iter().flatten();
    data.filter_map(|(key, text)| Some((key.clone(), serde_json::from_str(text).ok()?))).collect()
}

/// The last change of all.
pub fn revision<'a>(listings: impl IntoIterator<Item = &'a Listing>) -> i64 {
    listings.into_iter().map(|listing| listing.revision).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_that_of_one_registry() {
        let registry = ("team-a".to_owned(), "hub".to_owned());
        assert_eq!(key(&registry), "team-a.hub");
        assert_eq!(registry_of("team-a.hub"), Some(registry));
    }

    #[test]
    fn what_somebody_else_wrote_there_is_left_out() {
        let listing = r#"{"revision": 7, "entries": []}"#;
        let data = [("default.hub", listing), ("note", "hello")].map(|(key, text)| (key.into(), text.into()));
        let config_map = ConfigMap { data: Some(data.into()), ..ConfigMap::default() };
        let known = listings(&config_map);
        assert_eq!(known.keys().collect::<Vec<_>>(), ["default.hub"]);
        assert_eq!(revision(known.values()), 7);
    }
}
