//! The access rules of the registry, `access.yml`: which users may do what to which repositories. A user that no rule names
//! may do nothing.

use berth_crds::allowed;
use serde::Serialize;
use serde_json::json;

use crate::registry::credentials::{ADMIN, PULL};

/// What can be done, in the words of the registry.
#[derive(Serialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names are the registry's own")]
pub enum Action {
    Pull,
    Push,
    Delete,
    Administer,
}

/// Some users may do something to some repositories.
#[derive(Serialize, Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    users: Vec<String>,
    #[serde(skip_serializing_if = "is_false")]
    anonymous: bool,
    repositories: Vec<String>,
    actions: Vec<Action>,
}

/// All that the rules follow from.
#[derive(Debug, Clone, Copy)]
pub struct Subjects<'a> {
    /// The lines of the users in the user's htpasswd file.
    pub users: &'a [String],
    /// The rules of those RegistryAccesses that the Registry consents to.
    pub granted: &'a [Rule],
    /// Whether everybody may pull.
    pub anonymous_pull: bool,
    /// Who collects garbage with a token, and may do nothing else.
    pub collector: Option<&'a str>,
}

impl From<allowed::Action> for Action {
    fn from(action: allowed::Action) -> Self {
        match action {
            allowed::Action::Pull => Self::Pull,
            allowed::Action::Push => Self::Push,
            allowed::Action::Delete => Self::Delete,
        }
    }
}

impl Rule {
    /// The rule for these users.
    pub fn of(users: Vec<String>, repositories: Vec<String>, actions: Vec<Action>) -> Self {
        Self { users, anonymous: false, repositories, actions }
    }

    fn everywhere(users: Vec<String>, actions: &[Action]) -> Self {
        Self::of(users, vec!["**".to_owned()], actions.to_vec())
    }
}

/// The file. It is JSON, which is YAML too.
pub fn access_rules(subjects: Subjects<'_>) -> String {
    format!("{:#}\n", json!({"rules": rules(subjects)}))
}

fn rules(Subjects { users, granted, anonymous_pull, collector }: Subjects<'_>) -> Vec<Rule> {
    use Action::{Administer, Delete, Pull, Push};
    let named: Vec<String> =
        users.iter().filter_map(|line| Some(line.split_once(':')?.0.to_owned())).collect();
    let mut rules = vec![
        Rule::everywhere(vec![ADMIN.to_owned()], &[Pull, Push, Delete, Administer]),
        Rule::everywhere(vec![PULL.to_owned()], &[Pull]),
    ];
    if !named.is_empty() {
        rules.push(Rule::everywhere(named, &[Pull, Push]));
    }
    rules.extend(collector.map(|user| Rule::everywhere(vec![user.to_owned()], &[Administer])));
    rules.extend_from_slice(granted);
    if anonymous_pull {
        // Whoever shows a password may not have less than whoever shows none.
        let mut known: Vec<String> = rules.iter().flat_map(|rule| rule.users.clone()).collect();
        known.sort();
        known.dedup();
        known.push("*".to_owned());
        rules.push(Rule { anonymous: true, ..Rule::everywhere(known, &[Pull]) });
    }
    rules
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_false(value: &bool) -> bool {
    !*value
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn written(users: &[&str], granted: &[Rule], anonymous_pull: bool) -> Value {
        let users: Vec<String> = users.iter().map(|user| format!("{user}:hash")).collect();
        let file = access_rules(Subjects { users: &users, granted, anonymous_pull, collector: None });
        serde_yaml::from_str(&file).unwrap()
    }

    #[test]
    fn nobody_has_rights_whom_no_rule_names() {
        let all = ["pull", "push", "delete", "administer"];
        assert_eq!(
            written(&["bob"], &[], false),
            json!({"rules": [
                {"users": ["admin"], "repositories": ["**"], "actions": all},
                {"users": ["pull"], "repositories": ["**"], "actions": ["pull"]},
                {"users": ["bob"], "repositories": ["**"], "actions": ["pull", "push"]},
            ]})
        );
    }

    #[test]
    fn what_was_consented_to_is_a_rule() {
        let rule = Rule::of(vec!["team-a.ci".to_owned()], vec!["team-a/**".to_owned()], vec![Action::Pull]);
        let rules = written(&[], std::slice::from_ref(&rule), false);
        assert_eq!(rules["rules"][2], json!(rule));
    }

    #[test]
    fn whoever_shows_a_password_may_pull_what_everybody_may() {
        let rule = Rule::of(vec!["team-a.ci".to_owned()], vec!["team-a/**".to_owned()], vec![Action::Push]);
        let rules = written(&["bob"], &[rule], true);
        assert_eq!(
            rules["rules"][4],
            json!({
                "users": ["admin", "bob", "pull", "team-a.ci", "*"], "anonymous": true,
                "repositories": ["**"], "actions": ["pull"],
            })
        );
    }
}
