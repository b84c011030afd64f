//! The rights that a token gives: some actions on some repositories, and the list of repositories.

use berth_oci::RepositoryName;
use serde::{Deserialize, Deserializer, Serialize};

use crate::auth::Action;

/// Everything that can be done.
const ALL: &str = "*";
pub(in crate::auth) const REPOSITORY: &str = "repository";
pub(in crate::auth) const REGISTRY: &str = "registry";
pub(in crate::auth) const CATALOG: &str = "catalog";

/// Actions on one thing, as tokens write it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(in crate::auth) struct Access {
    pub(in crate::auth) r#type: String,
    pub(in crate::auth) name: String,
    #[serde(default, deserialize_with = "perhaps_null")]
    pub(in crate::auth) actions: Vec<String>,
}

/// Issuers that are written in Go tell an empty list as `null`.
fn perhaps_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// All rights of a token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::auth) struct Grants(Vec<Access>);

impl Grants {
    pub(super) fn new(access: Vec<Access>) -> Self {
        Self(access)
    }

    /// Whether something may be done to a repository.
    pub(in crate::auth) fn allow(&self, action: Action, repository: &RepositoryName) -> bool {
        self.has(REPOSITORY, repository.as_str(), &action.to_string())
    }

    /// Whether the names of all repositories may be read.
    pub(in crate::auth) fn allow_catalog(&self) -> bool {
        self.has(REGISTRY, CATALOG, ALL)
    }

    /// Whether the registry may be administered: `registry:*:administer`.
    pub(in crate::auth) fn allow_administration(&self) -> bool {
        self.has(REGISTRY, ALL, &Action::Administer.to_string())
    }

    fn has(&self, r#type: &str, name: &str, action: &str) -> bool {
        let is_of = |access: &&Access| access.r#type == r#type && access.name == name;
        let allows = |access: &Access| access.actions.iter().any(|given| given == action || given == ALL);
        self.0.iter().filter(is_of).any(allows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants(r#type: &str, name: &str, actions: &[&str]) -> Grants {
        let actions = actions.iter().map(|action| (*action).to_owned()).collect();
        Grants(vec![Access { r#type: r#type.to_owned(), name: name.to_owned(), actions }])
    }

    #[test]
    fn only_what_is_named_is_allowed_and_a_star_stands_for_every_action() {
        let (app, other) = ("team/app".parse().unwrap(), "other".parse().unwrap());
        let some = grants("repository", "team/app", &["pull", "push"]);
        assert!(some.allow(Action::Pull, &app) && some.allow(Action::Push, &app));
        assert!(!some.allow(Action::Delete, &app) && !some.allow(Action::Pull, &other));
        assert!(grants("repository", "team/app", &["*"]).allow(Action::Delete, &app));
        for other in ["*", "team/*", "team/**"] {
            assert!(!grants("repository", other, &["*"]).allow(Action::Pull, &app), "{other}");
        }
        assert!(!grants("registry", "team/app", &["pull"]).allow(Action::Pull, &app));
    }

    #[test]
    fn the_catalog_and_the_administration_are_rights_of_their_own() {
        let catalog = grants("registry", "catalog", &["*"]);
        assert!(catalog.allow_catalog() && !catalog.allow_administration());
        let administration = grants("registry", "*", &["administer"]);
        assert!(administration.allow_administration() && !administration.allow_catalog());
        assert!(!grants("repository", "catalog", &["*"]).allow_catalog());
    }
}
