//! The condition `NodesReady` and `status.nodes`.

use berth_crds::{ConditionType, Reason, Registry, nodes::NodesStatus};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::Resource;
use serde_json::json;

use super::{Context, claims::Claims};
use crate::{
    nodes::{ProblemKind, Tally},
    registry::{
        share::{self, Share},
        status::{State, Truth, previous, with_times},
    },
};

/// The field manager of what is reported.
const FIELD_MANAGER: &str = "berth-operator-nodes";

/// How many nodes the status names, and how many a message does.
const LISTED: usize = 10;
const NAMED: usize = 3;

/// What is reported; nothing, if nobody wants nodes to know the Registry.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Report {
    state: Option<(Truth, Reason, String)>,
    nodes: Option<NodesStatus>,
}

impl Report {
    /// There is no node agent.
    pub(super) fn without_agent() -> Self {
        let message = "nodes are told nothing, because the node agent is not installed: set nodeAgent.enabled of the operator's \
                       chart, or let the nodes resolve and trust the registry by other means";
        Self::only(Truth::Unknown, Reason::AgentNotInstalled, message)
    }

    /// Something has to be there first.
    pub(super) fn pending(message: &str) -> Self {
        Self::only(Truth::Unknown, Reason::Pending, message)
    }

    /// The API server refused what nodes should be told.
    pub(super) fn refused(message: &str) -> Self {
        Self::only(Truth::False, Reason::Rejected, &format!("what nodes are told was refused: {message}"))
    }

    fn only(truth: Truth, reason: Reason, message: &str) -> Self {
        Self { state: Some((truth, reason, message.to_owned())), nodes: None }
    }

    /// After the nodes were told, and have reported so far.
    pub(super) fn of(claims: &Claims, taken: &[String], tally: &Tally) -> Self {
        Self { state: Some(verdict(claims, taken, tally)), nodes: Some(counted(tally)) }
    }

    /// The reason in its condition, if there is one.
    #[cfg(test)]
    fn reason(&self) -> Option<Reason> {
        self.state.as_ref().map(|(_, reason, _)| *reason)
    }
}

fn verdict(claims: &Claims, taken: &[String], tally: &Tally) -> (Truth, Reason, String) {
    if let Some(refused) = &claims.refused {
        return (Truth::False, refused.reason, refused.message.clone());
    }
    if !taken.is_empty() {
        let message = format!("another Registry has already led nodes by {}", taken.join(", "));
        return (Truth::False, Reason::HostTaken, message);
    }
    if let Some((_, kind, _)) = tally.failed.iter().min_by_key(|(_, kind, _)| *kind) {
        return (Truth::False, kind.reason(), failures(tally, *kind));
    }
    let Tally { total, ready, .. } = *tally;
    if total == 0 {
        return (Truth::Unknown, Reason::Pending, "no node has a node agent yet".to_owned());
    }
    if ready < total {
        let awaited = if tally.pending.is_empty() {
            "nodes without a running agent".to_owned()
        } else {
            named(&tally.pending)
        };
        let message = format!("{ready} of {total} nodes have taken it over; waiting for {awaited}");
        return (Truth::Unknown, Reason::Propagating, message);
    }
    let names: Vec<String> = claims.entries.iter().map(|entry| entry.host.clone()).collect();
    let remark = claims.remark.as_ref().map(|remark| format!("; {remark}")).unwrap_or_default();
    let message = format!("all nodes reach the registry by {}{remark}", names.join(", "));
    (Truth::True, Reason::Synced, message)
}

/// What is wrong, and where.
fn failures(tally: &Tally, kind: ProblemKind) -> String {
    let alike: Vec<_> = tally.failed.iter().filter(|(_, other, _)| *other == kind).collect();
    let nodes: Vec<String> = alike.iter().map(|(node, ..)| node.clone()).collect();
    let message = alike.first().map(|(.., message)| message.as_str()).unwrap_or_default();
    format!("{} of {} nodes; on {}: {message}", tally.failed.len(), tally.total, named(&nodes))
}

fn named(nodes: &[String]) -> String {
    match nodes.len().saturating_sub(NAMED) {
        0 => nodes.join(", "),
        more => format!("{} and {more} more", nodes[..NAMED].join(", ")),
    }
}

fn counted(tally: &Tally) -> NodesStatus {
    let failed = tally.failed.iter().map(|(node, _, message)| format!("{node}: {message}"));
    let number = |count| i32::try_from(count).unwrap_or(i32::MAX);
    NodesStatus {
        ready: number(tally.ready),
        total: number(tally.total),
        summary: format!("{}/{}", tally.ready, tally.total),
        failed: failed.take(LISTED).collect(),
    }
}

/// Stores what is news, and tells what turned.
pub(super) async fn report(
    context: &Context,
    registry: &Registry,
    report: Report,
) -> Result<(), kube::Error> {
    let state = report.state.map(|(truth, reason, message)| State {
        about: ConditionType::NodesReady,
        truth,
        reason,
        message,
    });
    let generation = registry.meta().generation;
    let states = state.into_iter().collect();
    let conditions = with_times(states, generation, previous(registry), Timestamp::now());
    let known = registry.status.as_ref().and_then(|status| status.nodes.clone());
    let reported: Vec<Condition> = previous(registry)
        .iter()
        .filter(|condition| condition.type_ == ConditionType::NodesReady.as_str())
        .cloned()
        .collect();
    if known == report.nodes && reported == conditions {
        return Ok(());
    }
    let field = report.nodes.map(|nodes| ("nodes", json!(nodes)));
    let share = Share { field_manager: FIELD_MANAGER, conditions, field };
    share::report(&context.client, &context.recorder, registry, share).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nodes::Entry;

    fn claims() -> Claims {
        let entry =
            Entry { host: "hub.default.svc".to_owned(), endpoints: Vec::new(), fallback: None, path: None };
        Claims { entries: vec![entry], ..Claims::default() }
    }

    fn message(report: &Report) -> &str {
        report.state.as_ref().map(|(.., message)| message.as_str()).unwrap_or_default()
    }

    #[test]
    fn all_nodes_are_a_word() {
        let report = Report::of(&claims(), &[], &Tally { total: 5, ready: 5, ..Tally::default() });
        assert_eq!(report.reason(), Some(Reason::Synced));
        assert_eq!(message(&report), "all nodes reach the registry by hub.default.svc");
        assert_eq!(report.nodes.unwrap().summary, "5/5");
    }

    #[test]
    fn what_is_wrong_is_told_with_the_node_where_it_is() {
        let failed = vec![
            ("a".to_owned(), ProblemKind::NotWritten, "disk full".to_owned()),
            ("b".to_owned(), ProblemKind::ForeignEntry, "somebody else's".to_owned()),
        ];
        let report = Report::of(&claims(), &[], &Tally { total: 5, ready: 3, failed, pending: Vec::new() });
        assert_eq!(report.reason(), Some(Reason::ForeignEntry));
        assert_eq!(message(&report), "2 of 5 nodes; on b: somebody else's");
        assert_eq!(report.nodes.unwrap().failed, ["a: disk full", "b: somebody else's"]);
    }

    #[test]
    fn nodes_that_have_not_answered_are_waited_for() {
        let pending = ["a", "b", "c", "d"].map(str::to_owned).to_vec();
        let report = Report::of(&claims(), &[], &Tally { total: 5, ready: 1, failed: Vec::new(), pending });
        assert_eq!(report.reason(), Some(Reason::Propagating));
        assert_eq!(message(&report), "1 of 5 nodes have taken it over; waiting for a, b, c and 1 more");
    }

    #[test]
    fn a_name_of_another_registry_is_told() {
        let report = Report::of(&claims(), &["quay.io".to_owned()], &Tally::default());
        assert_eq!(report.reason(), Some(Reason::HostTaken));
    }
}
