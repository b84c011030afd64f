//! The access rules of the registry, `access.yml`: which users may do what to which repositories. A user that no rule names
//! may do nothing.

use berth_crds::{RegistrySpec, allowed, mirrors::Mirror};
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
    /// The repositories that everybody may pull.
    pub open: &'a [String],
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

/// The repositories that everybody may pull, by their patterns.
pub fn open_to_all(spec: &RegistrySpec) -> Vec<String> {
    if spec.access.anonymous_pull {
        return vec!["**".to_owned()];
    }
    let open = spec.mirrors.iter().filter(|mirror| mirror.anonymous_pull);
    open.map(|mirror: &Mirror| format!("{}/**", mirror.prefix())).collect()
}

/// The file. It is JSON, which is YAML too.
pub fn access_rules(subjects: Subjects<'_>) -> String {
    format!("{:#}\n", json!({"rules": rules(subjects)}))
}

fn rules(Subjects { users, granted, open, collector }: Subjects<'_>) -> Vec<Rule> {
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
    if !open.is_empty() {
        // Whoever shows a password may not have less than whoever shows none.
        let mut known: Vec<String> = rules.iter().flat_map(|rule| rule.users.clone()).collect();
        known.sort();
        known.dedup();
        known.push("*".to_owned());
        rules.push(Rule { anonymous: true, ..Rule::of(known, open.to_vec(), vec![Pull]) });
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
    use crate::fixtures;

    fn written(users: &[&str], granted: &[Rule], spec: &str) -> Value {
        let users: Vec<String> = users.iter().map(|user| format!("{user}:hash")).collect();
        let open = open_to_all(&fixtures::registry(spec).spec);
        let file = access_rules(Subjects { users: &users, granted, open: &open, collector: None });
        serde_yaml::from_str(&file).unwrap()
    }

    #[test]
    fn nobody_has_rights_whom_no_rule_names() {
        let all = ["pull", "push", "delete", "administer"];
        assert_eq!(
            written(&["bob"], &[], "{}"),
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
        let rules = written(&[], std::slice::from_ref(&rule), "{}");
        assert_eq!(rules["rules"][2], json!(rule));
    }

    #[test]
    fn whoever_shows_a_password_may_pull_what_everybody_may() {
        let rule = Rule::of(vec!["team-a.ci".to_owned()], vec!["team-a/**".to_owned()], vec![Action::Push]);
        let rules = written(&["bob"], &[rule], "{access: {anonymousPull: true}}");
        assert_eq!(
            rules["rules"][4],
            json!({
                "users": ["admin", "bob", "pull", "team-a.ci", "*"], "anonymous": true,
                "repositories": ["**"], "actions": ["pull"],
            })
        );
    }

    #[test]
    fn a_mirror_is_opened_to_all_below_its_prefix_and_nowhere_else() {
        let spec = "{mirrors: [{upstream: docker.io, anonymousPull: true}, {upstream: quay.io}, \
                    {upstream: ghcr.io, prefix: team/g, anonymousPull: true}]}";
        let rules = written(&[], &[], spec);
        let rule = &rules["rules"][2];
        assert_eq!((&rule["anonymous"], &rule["actions"]), (&json!(true), &json!(["pull"])));
        assert_eq!(rule["repositories"], json!(["docker.io/**", "team/g/**"]));
        assert_eq!(rule["users"], json!(["admin", "pull", "*"]));
    }
}
