//! Whether a Registry consents to what a RegistryAccess asks for. All of it or nothing: half of the rights would be found
//! out in the middle of a pipeline.
//!
//! The controllers of both kinds ask here, so that what is told is what is done.

use std::collections::BTreeMap;

use berth_crds::{
    Reason, Registry, RegistryAccess,
    access::Grant,
    allowed::{Action, Allowed, From},
};
use berth_oci::RepositoryPattern;
use jiff::Timestamp;
use kube::{
    ResourceExt,
    core::{Selector, SelectorExt},
};

use super::Finding;
use crate::registry::build::access_rules::Rule;

/// What stands for the namespace of a RegistryAccess in the patterns of a Registry.
const NAMESPACE: &str = "{namespace}";

/// The labels of a namespace.
pub type Labels = BTreeMap<String, String>;

/// The rights of a RegistryAccess.
#[derive(Debug, Clone, PartialEq)]
pub struct Rights {
    /// The rules for its users.
    pub rules: Vec<Rule>,
    /// When they end.
    pub until: Option<Timestamp>,
}

/// What is known about the place where a RegistryAccess is.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// The labels of its namespace, if there is one.
    pub labels: Option<&'a Labels>,
    /// The lines of the users that the Registry has besides.
    pub users: &'a [String],
    /// The time.
    pub now: Timestamp,
}

/// The name that a RegistryAccess logs in with. No namespace has a dot in its name, so no two have the same.
pub fn user_name(access: &RegistryAccess) -> String {
    format!("{}.{}", access.namespace().unwrap_or_default(), access.name_any())
}

/// The rights of `access`, if `registry` consents to them.
pub fn consent(
    registry: &Registry,
    access: &RegistryAccess,
    around: Surroundings<'_>,
) -> Result<Rights, Finding> {
    let until = access.spec.expire_time.as_ref().map(|time| time.0);
    if let Some(until) = until.filter(|until| *until <= around.now) {
        let message =
            format!("its time is over since {until}: set spec.expireTime to a later time, or delete it");
        return Err(Finding::bad(Reason::Expired, message));
    }
    check_namespace(registry, access, around.labels)?;
    check_name(access, around.users)?;
    check_rights(&registry.spec.access.allowed, access)?;
    Ok(Rights { rules: rules(access), until })
}

fn refuse<T>(message: String) -> Result<T, Finding> {
    Err(Finding::bad(Reason::NotAllowedByRegistry, message))
}

fn check_namespace(
    registry: &Registry,
    access: &RegistryAccess,
    labels: Option<&Labels>,
) -> Result<(), Finding> {
    let allowed = &registry.spec.access.allowed;
    let is_own = registry.namespace() == access.namespace();
    match (allowed.from, &allowed.selector) {
        (From::All, _) => Ok(()),
        (From::Same, _) if is_own => Ok(()),
        (From::Selector, Some(selector)) => match Selector::try_from(selector.clone()) {
            Ok(selector) if labels.is_some_and(|labels| selector.matches(labels)) => Ok(()),
            Ok(selector) => refuse(format!(
                "the Registry consents to namespaces with the labels {selector}, and {} has others: ask for a label of the namespace",
                access.namespace().unwrap_or_default()
            )),
            Err(_) => refuse(
                "spec.access.allowed.selector of the Registry cannot be read: let its owner write an operator that labels are selected by"
                    .to_owned(),
            ),
        },
        _ => refuse(
            "the Registry consents to its own namespace only: let its owner set spec.access.allowed.from to Selector or All"
                .to_owned(),
        ),
    }
}

/// A user of the Registry's own may push everywhere. Whoever had the same name would have the same rights.
fn check_name(access: &RegistryAccess, users: &[String]) -> Result<(), Finding> {
    let name = user_name(access);
    if users.iter().any(|line| line.split_once(':').is_some_and(|(user, _)| user == name)) {
        return refuse(format!(
            "the Registry has a user {name} in its htpasswd Secret: give the RegistryAccess another name"
        ));
    }
    Ok(())
}

fn check_rights(allowed: &Allowed, access: &RegistryAccess) -> Result<(), Finding> {
    let namespace = access.namespace().unwrap_or_default();
    let most: Vec<String> =
        allowed.repositories.iter().map(|pattern| pattern.replace(NAMESPACE, &namespace)).collect();
    let patterns: Vec<RepositoryPattern> = most.iter().filter_map(|text| text.parse().ok()).collect();
    for grant in &access.spec.allow {
        if let Some(action) = grant.actions.iter().find(|action| !allowed.actions.contains(action)) {
            return refuse(format!(
                "the Registry does not consent to {action:?}: remove it from spec.allow, or let its owner add it to spec.access.allowed.actions"
            ));
        }
        let covered = |asked: &RepositoryPattern| patterns.iter().any(|most| most.covers(asked));
        let is_covered = |text: &&String| text.parse().is_ok_and(|asked| covered(&asked));
        if let Some(beyond) = grant.repositories.iter().find(|text| !is_covered(text)) {
            return refuse(format!(
                "the Registry consents to {} only, which does not cover {beyond}: ask for less in spec.allow, or let its owner add to spec.access.allowed.repositories",
                listed(&most)
            ));
        }
    }
    Ok(())
}

fn listed(patterns: &[String]) -> String {
    if patterns.is_empty() { "no repository".to_owned() } else { patterns.join(", ") }
}

fn rules(access: &RegistryAccess) -> Vec<Rule> {
    let namespace = access.namespace().unwrap_or_default();
    let account = access.spec.secret.create.then(|| user_name(access));
    let tokens = access.spec.service_accounts.iter();
    let tokens = tokens.map(|account| format!("system:serviceaccount:{namespace}:{account}"));
    let users: Vec<String> = account.into_iter().chain(tokens).collect();
    let rule = |Grant { repositories, actions }: &Grant| {
        let mut actions = actions.clone();
        actions.sort();
        Rule::of(users.clone(), repositories.clone(), actions.into_iter().map(Action::into).collect())
    };
    if users.is_empty() { Vec::new() } else { access.spec.allow.iter().map(rule).collect() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fixtures::{access, registry};

    fn now() -> Timestamp {
        "2026-03-01T00:00:00Z".parse().unwrap()
    }

    fn judged(allowed: &str, asked: &str) -> Result<Rights, Finding> {
        let labels = Labels::from([("team".to_owned(), "a".to_owned())]);
        let around = Surroundings { labels: Some(&labels), users: &["x.y:hash".to_owned()], now: now() };
        consent(
            &registry(&format!("{{access: {{allowed: {allowed}}}}}")),
            &access("team-a", "ci", asked),
            around,
        )
    }

    fn refusal(allowed: &str, asked: &str) -> String {
        let finding = judged(allowed, asked).unwrap_err();
        assert_eq!(finding.reason, Reason::NotAllowedByRegistry);
        finding.message
    }

    const OWN: &str = "{allow: [{repositories: [team-a/**], actions: [Pull, Push]}]}";

    #[test]
    fn by_default_only_the_namespace_of_the_registry_has_rights() {
        assert!(refusal("{}", OWN).contains("its own namespace only"));
        let around = Surroundings { labels: None, users: &[], now: now() };
        let own = access("default", "ci", "{allow: [{repositories: [default/app]}]}");
        assert!(consent(&registry("{}"), &own, around).is_ok());
    }

    #[test]
    fn the_labels_of_the_namespace_decide() {
        assert!(judged("{from: Selector, selector: {matchLabels: {team: a}}}", OWN).is_ok());
        assert!(
            judged("{from: Selector, selector: {matchExpressions: [{key: team, operator: Exists}]}}", OWN)
                .is_ok()
        );
        assert!(refusal("{from: Selector, selector: {matchLabels: {team: b}}}", OWN).contains("team=b"));
        let unreadable = "{from: Selector, selector: {matchExpressions: [{key: team, operator: Like}]}}";
        assert!(refusal(unreadable, OWN).contains("cannot be read"));
        let around = Surroundings { labels: None, users: &[], now: now() };
        let unknown = registry("{access: {allowed: {from: Selector, selector: {}}}}");
        assert!(consent(&unknown, &access("team-a", "ci", OWN), around).is_err(), "without a namespace");
    }

    #[test]
    fn what_goes_beyond_the_consent_gets_nothing_and_is_named() {
        let beyond = "{allow: [{repositories: [team-a/app]}, {repositories: ['team-b/*']}]}";
        let message = refusal("{from: All}", beyond);
        assert!(message.contains("consents to team-a/** only, which does not cover team-b/*"), "{message}");
        let deletes = "{allow: [{repositories: [team-a/**], actions: [Delete]}]}";
        assert!(refusal("{from: All}", deletes).contains("does not consent to Delete"));
        assert!(judged("{from: All, actions: [Delete]}", deletes).is_ok());
        assert!(refusal("{from: All, repositories: []}", OWN).contains("no repository"));
    }

    #[test]
    fn a_namespace_stands_in_for_its_name_anywhere_in_a_pattern() {
        let asked = "{allow: [{repositories: ['shared/team-a-x/web']}]}";
        assert!(judged("{from: All, repositories: ['shared/{namespace}-*/**']}", asked).is_ok());
    }

    #[test]
    fn a_name_that_is_a_user_of_the_registry_gets_no_rights() {
        let around = Surroundings { labels: None, users: &["team-a.ci:hash".to_owned()], now: now() };
        let taken =
            consent(&registry("{access: {allowed: {from: All}}}"), &access("team-a", "ci", OWN), around);
        assert!(taken.unwrap_err().message.contains("a user team-a.ci"));
    }

    #[test]
    fn rights_end_at_their_time() {
        let asked = |time: &str| format!("{{allow: [{{repositories: [team-a/**]}}], expireTime: '{time}'}}");
        assert!(judged("{from: All}", &asked("2026-03-01T00:00:01Z")).unwrap().until.is_some());
        assert_eq!(
            judged("{from: All}", &asked("2026-03-01T00:00:00Z")).unwrap_err().reason,
            Reason::Expired
        );
    }

    #[test]
    fn service_accounts_have_the_same_rights_and_without_a_secret_they_alone() {
        let asked =
            "{allow: [{repositories: [team-a/**]}], serviceAccounts: [builder], secret: {create: false}}";
        let rules = judged("{from: All}", asked).unwrap().rules;
        assert_eq!(
            json!(rules),
            json!([{
                "users": ["system:serviceaccount:team-a:builder"], "repositories": ["team-a/**"], "actions": ["pull"],
            }])
        );
        let nobody = "{allow: [{repositories: [team-a/**]}], secret: {create: false}}";
        assert!(judged("{from: All}", nobody).unwrap().rules.is_empty());
    }
}
