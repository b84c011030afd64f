//! Which namespaces are to have the Secret. Pure.

use std::collections::BTreeSet;

use berth_crds::{
    Registry,
    pull_secrets::{NamespacesFrom, PullSecrets},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{
    ResourceExt,
    core::{ParseExpressionError, Selector, SelectorExt},
};

use crate::allow_list::AllowList;

/// What the spec chooses among the namespaces that there are.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Selection {
    /// Those that are to have the Secret.
    pub(super) chosen: BTreeSet<String>,
    /// Those that the selector matches and the operator may not write to.
    pub(super) denied: BTreeSet<String>,
    /// Other namespaces are asked for, and the operator may write to none.
    pub(super) nothing_permitted: bool,
}

/// Whether the spec asks for namespaces other than the Registry's own.
pub(super) fn reaches_out(spec: &PullSecrets) -> bool {
    matches!(spec.from, NamespacesFrom::Selector | NamespacesFrom::All)
}

/// Chooses among `namespaces`. One that is being deleted takes no new objects, and what is in it goes away by itself.
pub(super) fn select(
    registry: &Registry,
    namespaces: &[ObjectMeta],
    allow_list: &AllowList,
) -> Result<Selection, ParseExpressionError> {
    let spec = &registry.spec.access.pull_secrets;
    let own = registry.namespace().unwrap_or_default();
    let matched = match spec.from {
        NamespacesFrom::None => BTreeSet::new(),
        NamespacesFrom::Same => BTreeSet::from([own.clone()]),
        NamespacesFrom::Selector => {
            let selector = Selector::try_from(spec.selector.clone().unwrap_or_default())?;
            living(namespaces).filter(|meta| selector.matches(&labels(meta))).map(name).collect()
        }
        NamespacesFrom::All => living(namespaces)
            .map(name)
            .filter(|namespace| allow_list.permits(namespace))
            .chain([own.clone()])
            .collect(),
    };
    let (chosen, denied) =
        matched.into_iter().partition(|namespace| *namespace == own || allow_list.permits(namespace));
    Ok(Selection { chosen, denied, nothing_permitted: reaches_out(spec) && allow_list.is_empty() })
}

fn living(namespaces: &[ObjectMeta]) -> impl Iterator<Item = &ObjectMeta> {
    namespaces.iter().filter(|namespace| namespace.deletion_timestamp.is_none())
}

fn labels(meta: &ObjectMeta) -> std::collections::BTreeMap<String, String> {
    meta.labels.clone().unwrap_or_default()
}

fn name(meta: &ObjectMeta) -> String {
    meta.name.clone().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fixtures;

    fn namespaces() -> Vec<ObjectMeta> {
        let metas = json!([
            {"name": "default", "labels": {"pull": "hub"}},
            {"name": "team-a", "labels": {"pull": "hub"}},
            {"name": "team-b", "labels": {"pull": "other"}},
            {"name": "team-c", "labels": {"pull": "hub"}, "deletionTimestamp": "2026-03-01T00:00:00Z"},
            {"name": "foreign", "labels": {"pull": "hub"}},
        ]);
        serde_json::from_value(metas).unwrap()
    }

    fn selected(spec: &str, allowed: &[&str]) -> Selection {
        let registry = fixtures::registry(&format!("{{access: {{pullSecrets: {spec}}}}}"));
        let allowed: Vec<String> = allowed.iter().map(|&name| name.to_owned()).collect();
        select(&registry, &namespaces(), &AllowList::new(&allowed)).unwrap()
    }

    fn names(names: &BTreeSet<String>) -> Vec<&str> {
        names.iter().map(String::as_str).collect()
    }

    #[test]
    fn the_default_is_the_registrys_own_namespace_which_needs_no_permission() {
        let selection = selected("{}", &[]);
        assert_eq!(names(&selection.chosen), ["default"]);
        assert!(!selection.nothing_permitted && selection.denied.is_empty());
        assert!(selected("{from: None}", &[]).chosen.is_empty());
    }

    #[test]
    fn a_selector_chooses_by_labels_what_is_permitted() {
        let by_label = "{from: Selector, selector: {matchLabels: {pull: hub}}}";
        let selection = selected(by_label, &["team-*"]);
        assert_eq!(names(&selection.chosen), ["default", "team-a"]);
        assert_eq!(names(&selection.denied), ["foreign"]);
        let by_expression =
            "{from: Selector, selector: {matchExpressions: [{key: pull, operator: NotIn, values: [hub]}]}}";
        assert_eq!(names(&selected(by_expression, &["*"]).chosen), ["team-b"]);
    }

    #[test]
    fn all_are_those_that_the_operator_may_write_to() {
        let selection = selected("{from: All}", &["team-*"]);
        assert_eq!(names(&selection.chosen), ["default", "team-a", "team-b"]);
        assert!(selection.denied.is_empty() && !selection.nothing_permitted);
        assert!(selected("{from: All}", &[]).nothing_permitted);
    }

    #[test]
    fn an_operator_without_a_list_is_told_of_as_soon_as_other_namespaces_are_asked_for() {
        assert!(selected("{from: Selector, selector: {}}", &[]).nothing_permitted);
    }

    #[test]
    fn a_selector_that_cannot_be_used_is_an_error() {
        let spec = "{access: {pullSecrets: {from: Selector, selector: {matchExpressions: [{key: a, operator: Has}]}}}}";
        assert!(select(&fixtures::registry(spec), &namespaces(), &AllowList::default()).is_err());
    }
}
