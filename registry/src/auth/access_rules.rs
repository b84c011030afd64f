//! Access rules: which users may do what to which repositories.
//!
//! ```yaml
//! rules:
//!   - {users: [admin], repositories: ["**"], actions: [pull, push, delete, administer]}
//!   - {users: ["*"], repositories: ["public/**"], actions: [pull]}
//! ```
//!
//! A user has the rights of all rules that name it. `*` stands for every user of the password file that no rule names. It never
//! stands for a ServiceAccount, `system:serviceaccount:NAMESPACE:NAME`, since any Pod can get a token that is meant for this
//! registry. A rule with `anonymous: true` is also for those who have shown no password and got a token all the same.

use std::fmt;

use berth_oci::{RepositoryName, RepositoryPattern};
use serde::Deserialize;

use super::token::is_service_account;

/// What can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Reading blobs, manifests, tags and referrers.
    Pull,
    /// Writing blobs, manifests and tags.
    Push,
    /// Deleting blobs, manifests and tags.
    Delete,
    /// Collecting garbage.
    Administer,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Delete => "delete",
            Self::Administer => "administer",
        })
    }
}

/// The rules of a file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessRules {
    rules: Vec<Rule>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    #[serde(default)]
    users: Vec<String>,
    #[serde(default)]
    anonymous: bool,
    repositories: Vec<RepositoryPattern>,
    actions: Vec<Action>,
}

/// Stands for every user of the password file that no rule names.
const OTHERS: &str = "*";

impl AccessRules {
    /// Reads the text of a rules file; errors tell line and column.
    pub fn from_yaml(text: &[u8]) -> Result<Self, serde_yaml::Error> {
        serde_yaml::from_slice(text)
    }

    /// Whether a user may do something to a repository.
    pub fn allow(&self, user: &str, action: Action, repository: &RepositoryName) -> bool {
        self.rules_of(user).any(|rule| rule.allows(action, repository))
    }

    /// Whether somebody who is not known may do something to a repository.
    pub fn allow_anonymous(&self, action: Action, repository: &RepositoryName) -> bool {
        self.rules.iter().any(|rule| rule.anonymous && rule.allows(action, repository))
    }

    /// Whether a user may administer the registry, whatever the repositories of the rule.
    pub fn allow_administration(&self, user: &str) -> bool {
        self.rules_of(user).any(|rule| rule.actions.contains(&Action::Administer))
    }

    fn rules_of<'a>(&'a self, user: &'a str) -> impl Iterator<Item = &'a Rule> {
        let named = user != OTHERS && self.rules.iter().any(|rule| rule.names(user));
        let subject = if named || is_service_account(user) { user } else { OTHERS };
        self.rules.iter().filter(move |rule| rule.names(subject))
    }
}

impl Rule {
    fn allows(&self, action: Action, repository: &RepositoryName) -> bool {
        self.actions.contains(&action) && self.repositories.iter().any(|pattern| pattern.matches(repository))
    }

    fn names(&self, user: &str) -> bool {
        self.users.iter().any(|name| name == user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = r#"
rules:
  - users: [admin]
    repositories: ["**"]
    actions: [pull, push, delete, administer]
  - {users: [pull], repositories: ["**"], actions: [pull]}
  - {users: [pull], repositories: ["scratch/*"], actions: [push]}
  - {users: ["*"], repositories: ["team/**"], actions: [pull, push]}
"#;

    fn allows(user: &str, action: Action, repository: &str) -> bool {
        AccessRules::from_yaml(RULES.as_bytes()).unwrap().allow(user, action, &repository.parse().unwrap())
    }

    #[test]
    fn a_user_has_the_rights_of_all_rules_that_name_it() {
        assert!(allows("admin", Action::Delete, "any/thing"));
        assert!(allows("pull", Action::Pull, "any/thing"));
        assert!(!allows("pull", Action::Push, "any/thing"));
        assert!(allows("pull", Action::Push, "scratch/x"));
    }

    #[test]
    fn a_star_stands_only_for_users_that_no_rule_names() {
        assert!(allows("ci", Action::Push, "team/app"));
        assert!(!allows("ci", Action::Pull, "other"));
        assert!(!allows("pull", Action::Push, "team/app"));
    }

    #[test]
    fn a_star_does_not_stand_for_service_accounts() {
        let text = r#"
rules:
  - {users: ["*"], repositories: ["**"], actions: [pull, administer]}
  - {users: ["system:serviceaccount:team:ci"], repositories: ["team/**"], actions: [push]}
"#;
        let rules = AccessRules::from_yaml(text.as_bytes()).unwrap();
        let (named, other) = ("system:serviceaccount:team:ci", "system:serviceaccount:team:other");
        let app = "team/app".parse().unwrap();
        assert!(rules.allow("bob", Action::Pull, &app) && rules.allow_administration("bob"));
        assert!(rules.allow(named, Action::Push, &app) && !rules.allow(named, Action::Pull, &app));
        assert!(!rules.allow(other, Action::Pull, &app) && !rules.allow_administration(other));
    }

    #[test]
    fn whoever_is_not_known_has_the_rights_of_rules_that_say_so() {
        let text = b"rules: [{anonymous: true, repositories: ['public/*'], actions: [pull]}]";
        let rules = AccessRules::from_yaml(text).unwrap();
        let (public, other) = ("public/app".parse().unwrap(), "app".parse().unwrap());
        assert!(
            rules.allow_anonymous(Action::Pull, &public) && !rules.allow_anonymous(Action::Push, &public)
        );
        assert!(!rules.allow_anonymous(Action::Pull, &other) && !rules.allow("bob", Action::Pull, &public));
    }

    #[test]
    fn administration_needs_its_action() {
        let rules = AccessRules::from_yaml(RULES.as_bytes()).unwrap();
        assert!(rules.allow_administration("admin"));
        assert!(!rules.allow_administration("pull") && !rules.allow_administration("ci"));
    }

    #[test]
    fn a_misspelt_action_is_told_with_those_that_exist() {
        let text = b"rules: [{users: [a], repositories: ['**'], actions: [write]}]";
        let error = AccessRules::from_yaml(text).unwrap_err().to_string();
        assert!(error.contains("unknown variant `write`") && error.contains("`push`"), "{error}");
    }

    #[test]
    fn a_bad_pattern_is_told() {
        let text = b"rules: [{users: [a], repositories: ['Team/**'], actions: [pull]}]";
        let error = AccessRules::from_yaml(text).unwrap_err().to_string();
        assert!(error.contains("`Team/**` is not a pattern"), "{error}");
    }
}
