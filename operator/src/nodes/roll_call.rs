//! What the nodes have reported, and which of them have not.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::{apps::v1::DaemonSet, core::v1::Pod};
use kube::{Client, api::ListParams};

use super::{NodeReport, Objects, ProblemKind, node_report::reports};

/// The nodes at one moment.
#[derive(Debug, Default)]
pub struct RollCall {
    /// How many run an agent, or should.
    total: usize,
    /// Those that have an agent.
    attended: BTreeSet<String>,
    reports: BTreeMap<String, NodeReport>,
}

/// How the nodes are about one Registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many should know it.
    pub total: usize,
    /// How many do.
    pub ready: usize,
    /// Those that could not be told, with what is wrong.
    pub failed: Vec<(String, ProblemKind, String)>,
    /// Those that have not taken it over yet.
    pub pending: Vec<String>,
}

impl RollCall {
    /// Asks for it. `None` says that there is no DaemonSet.
    pub async fn take(objects: &Objects, client: &Client) -> Result<Option<Self>, kube::Error> {
        let Some(daemon_set) = objects.daemon_sets(client).get_opt(objects.name()).await? else {
            return Ok(None);
        };
        let reported = objects.config_maps(client).get_opt(&objects.reports_name()).await?;
        let agents = ListParams::default().labels(&selector(&daemon_set));
        let pods = objects.pods(client).list(&agents).await?.items;
        let attended: BTreeSet<String> = pods.into_iter().filter_map(node_of).collect();
        let desired = daemon_set.status.map_or(0, |status| status.desired_number_scheduled);
        Ok(Some(Self {
            total: attended.len().max(usize::try_from(desired).unwrap_or_default()),
            attended,
            reports: reported.as_ref().map(reports).unwrap_or_default(),
        }))
    }

    /// How the nodes are about the Registry of a key whose last change has this revision.
    pub fn tally(&self, key: &str, revision: i64) -> Tally {
        let mut tally = Tally { total: self.total, ..Tally::default() };
        for node in &self.attended {
            let report = self.reports.get(node).filter(|report| report.revision >= revision);
            let concerns = |about: &Option<String>| about.as_deref().is_none_or(|about| about == key);
            let problem = |report: &NodeReport| {
                report.problems.iter().find(|problem| concerns(&problem.registry)).cloned()
            };
            match report.map(problem) {
                None => tally.pending.push(node.clone()),
                Some(None) => tally.ready += 1,
                Some(Some(problem)) => tally.failed.push((node.clone(), problem.kind, problem.message)),
            }
        }
        tally
    }

    /// Nodes that are gone and have left a report.
    pub fn gone(&self) -> Vec<String> {
        self.reports.keys().filter(|node| !self.attended.contains(*node)).cloned().collect()
    }
}

impl Tally {
    /// How many nodes may still trust something older, and have not said that they cannot be told.
    pub fn unaware(&self) -> usize {
        let refused = self.failed.iter().filter(|(_, kind, _)| *kind != ProblemKind::NotWritten).count();
        self.total.saturating_sub(self.ready + refused)
    }
}

fn node_of(pod: Pod) -> Option<String> {
    pod.spec?.node_name
}

fn selector(daemon_set: &DaemonSet) -> String {
    let labels = daemon_set.spec.as_ref().and_then(|spec| spec.selector.match_labels.as_ref());
    let pairs: Vec<String> =
        labels.into_iter().flatten().map(|(key, value)| format!("{key}={value}")).collect();
    pairs.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nodes::Problem;

    fn problem(registry: Option<&str>, kind: ProblemKind) -> Problem {
        Problem { registry: registry.map(str::to_owned), kind, message: "no".to_owned() }
    }

    fn roll_call(total: usize, reports: &[(&str, i64, Vec<Problem>)]) -> RollCall {
        let report = |(node, revision, problems): &(&str, i64, Vec<Problem>)| {
            ((*node).to_owned(), NodeReport { revision: *revision, problems: problems.clone() })
        };
        let reports: BTreeMap<_, _> = reports.iter().map(report).collect();
        RollCall { total, attended: reports.keys().cloned().collect(), reports }
    }

    #[test]
    fn a_node_is_ready_when_it_has_taken_over_the_last_change() {
        let tally = roll_call(3, &[("a", 7, vec![]), ("b", 9, vec![]), ("c", 6, vec![])]).tally("d.hub", 7);
        assert_eq!((tally.ready, tally.pending.as_slice()), (2, ["c".to_owned()].as_slice()));
        assert_eq!(tally.unaware(), 1);
    }

    #[test]
    fn a_problem_counts_for_the_registry_that_it_is_about_or_for_all() {
        let nodes = roll_call(
            2,
            &[
                ("a", 7, vec![problem(Some("d.hub"), ProblemKind::ForeignEntry)]),
                ("b", 7, vec![problem(None, ProblemKind::ConfigPathUnset)]),
            ],
        );
        assert_eq!(nodes.tally("d.hub", 7).failed.len(), 2);
        assert_eq!(nodes.tally("d.other", 7).ready, 1);
        assert_eq!(nodes.tally("d.hub", 7).unaware(), 0, "they have said that they go by something else");
    }

    #[test]
    fn a_node_without_an_agent_counts() {
        let tally = roll_call(2, &[("a", 7, vec![])]).tally("d.hub", 7);
        assert_eq!((tally.ready, tally.total, tally.unaware()), (1, 2, 1));
    }
}
