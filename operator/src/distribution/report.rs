//! The condition `PullSecretsReady` and `status.pullSecrets`.

use std::fmt::Display;

use berth_crds::{ConditionType, Reason, Registry, pull_secrets::PullSecretsStatus};
use jiff::Timestamp;
use kube::{Resource, core::ParseExpressionError};
use serde_json::json;

use super::{Context, FIELD_MANAGER, fulfil::Outcome, selection::Selection};
use crate::registry::{
    share::{self, Share},
    status::{State, Truth, previous, with_times},
};

/// How many namespaces or objects a message names.
const NAMED: usize = 3;

/// What to do about namespaces that the operator may not write to.
const PERMIT: &str = "add them to pullSecrets.allowedNamespaces of the operator's chart";

/// What is reported.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Report {
    state: State,
    namespaces: Option<usize>,
}

impl Report {
    /// After the writes.
    pub(super) fn of(selection: &Selection, secret_name: &str, outcome: &Outcome) -> Self {
        let (truth, reason, message) = verdict(selection, secret_name, outcome);
        let state = State { about: ConditionType::PullSecretsReady, truth, reason, message };
        Self { state, namespaces: Some(outcome.in_place.len()) }
    }

    /// The selector cannot be used: everything stays as it is.
    pub(super) fn invalid_selector(error: &ParseExpressionError) -> Self {
        let message = format!("spec.access.pullSecrets.selector cannot be used: {error}");
        Self::unchanged(Truth::False, Reason::InvalidSelector, message)
    }

    /// There is nothing to copy yet.
    pub(super) fn pending(original: &str) -> Self {
        Self::unchanged(Truth::Unknown, Reason::Pending, format!("waiting for the Secret {original}"))
    }

    fn unchanged(truth: Truth, reason: Reason, message: String) -> Self {
        let state = State { about: ConditionType::PullSecretsReady, truth, reason, message };
        Self { state, namespaces: None }
    }
}

fn verdict(selection: &Selection, secret_name: &str, outcome: &Outcome) -> (Truth, Reason, String) {
    if let Some((place, message)) = outcome.refused.first() {
        let others = match outcome.refused.len() - 1 {
            0 => String::new(),
            others => format!("; {others} more were refused"),
        };
        return (Truth::False, Reason::Rejected, format!("{place} was refused: {message}{others}"));
    }
    if !outcome.taken.is_empty() {
        let message = format!(
            "somebody else has a Secret {secret_name} in {}; delete it there, or set spec.access.pullSecrets.secretName",
            enumerated(&outcome.taken)
        );
        return (Truth::False, Reason::NameTaken, message);
    }
    if selection.nothing_permitted {
        let message =
            format!("this operator may write to no namespace but the Registry's own; for others, {PERMIT}");
        return (Truth::False, Reason::NotPermitted, message);
    }
    if !selection.denied.is_empty() {
        let message = format!("this operator may not write to {}; {PERMIT}", enumerated(&selection.denied));
        return (Truth::False, Reason::NotPermitted, message);
    }
    let message = match outcome.in_place.len() {
        1 => format!("1 namespace has the Secret {secret_name}"),
        count => format!("{count} namespaces have the Secret {secret_name}"),
    };
    (Truth::True, Reason::Synced, message)
}

/// The first few of them, and how many more there are.
fn enumerated<T: Display>(items: impl IntoIterator<Item = T, IntoIter: ExactSizeIterator>) -> String {
    let mut items = items.into_iter();
    let more = items.len().saturating_sub(NAMED);
    let named: Vec<String> = items.by_ref().take(NAMED).map(|item| item.to_string()).collect();
    match more {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

/// Stores what is news, and tells what turned.
pub(super) async fn report(
    context: &Context,
    registry: &Registry,
    report: Report,
) -> Result<(), kube::Error> {
    let before = registry.status.as_ref();
    let known = before.and_then(|status| status.pull_secrets.clone());
    let namespaces = report
        .namespaces
        .map(|count| PullSecretsStatus { namespaces: i32::try_from(count).unwrap_or(i32::MAX) });
    let pull_secrets = namespaces.or_else(|| known.clone());
    let generation = registry.meta().generation;
    let conditions = with_times(vec![report.state], generation, previous(registry), Timestamp::now());
    if known == pull_secrets && conditions.iter().all(|condition| previous(registry).contains(condition)) {
        return Ok(());
    }
    let field = pull_secrets.map(|pull_secrets| ("pullSecrets", json!(pull_secrets)));
    let share = Share { field_manager: FIELD_MANAGER, conditions, field };
    share::report(&context.client, &context.recorder, registry, share).await
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::distribution::settled::{Kind, Place};

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    fn said(selection: &Selection, outcome: &Outcome) -> (Reason, String) {
        let report = Report::of(selection, "hub-pull", outcome);
        (report.state.reason, report.state.message)
    }

    #[test]
    fn what_is_in_place_is_counted() {
        let one = Outcome { in_place: names(&["default"]), ..Outcome::default() };
        let expected = (Reason::Synced, "1 namespace has the Secret hub-pull".to_owned());
        assert_eq!(said(&Selection::default(), &one), expected);
        let nowhere = "0 namespaces have the Secret hub-pull";
        assert_eq!(said(&Selection::default(), &Outcome::default()).1, nowhere);
    }

    #[test]
    fn a_message_names_a_few_and_says_what_to_do() {
        let outcome = Outcome { taken: names(&["a", "b", "c", "d", "e"]), ..Outcome::default() };
        let (reason, message) = said(&Selection::default(), &outcome);
        assert_eq!(reason, Reason::NameTaken);
        assert!(message.contains("in a, b, c and 2 more; delete it there"), "{message}");
    }

    #[test]
    fn what_is_not_permitted_names_the_value_to_set() {
        let denied = Selection { denied: names(&["team-a"]), ..Selection::default() };
        let (reason, message) = said(&denied, &Outcome::default());
        assert_eq!(reason, Reason::NotPermitted);
        assert!(message.contains("team-a; add them to pullSecrets.allowedNamespaces"), "{message}");
    }

    #[test]
    fn a_refusal_comes_first() {
        let place = Place { kind: Kind::Secret, namespace: "a".to_owned(), name: "hub-pull".to_owned() };
        let outcome = Outcome {
            taken: names(&["b"]),
            refused: vec![(place.clone(), "quota".to_owned()), (place, "quota".to_owned())],
            ..Outcome::default()
        };
        let (reason, message) = said(&Selection::default(), &outcome);
        assert_eq!(reason, Reason::Rejected);
        assert_eq!(message, "Secret hub-pull in a was refused: quota; 1 more were refused");
    }
}
