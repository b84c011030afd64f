//! Tells the operator how the node is: the key of the node in the ConfigMap of reports.

use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::json;
use tokio::time::{Instant, timeout};
use tracing::{info, warn};

use crate::nodes::{NodeReport, Problem};

/// How long a report may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);

/// A report is sent again after this long, should somebody have removed it.
const REPETITION: Duration = Duration::from_mins(10);

/// How much of a message is sent: all nodes share the room of one object.
const WORDS: usize = 300;

/// How many problems are sent.
const PROBLEMS: usize = 20;

/// Who reports.
#[derive(Debug)]
pub(super) struct Teller {
    config_maps: Api<ConfigMap>,
    reports: String,
    node: String,
    told: Option<(NodeReport, Instant)>,
}

impl Teller {
    pub(super) fn new(config_maps: Api<ConfigMap>, reports: String, node: &str) -> Self {
        Self { config_maps, reports, node: node.to_owned(), told: None }
    }

    /// Sends a report if it is news. Whether the operator can know it.
    pub(super) async fn tell(&mut self, report: NodeReport) -> bool {
        let report = shortened(report);
        let is_known = |(told, at): &(NodeReport, Instant)| *told == report && at.elapsed() < REPETITION;
        if self.told.as_ref().is_some_and(is_known) {
            return true;
        }
        for problem in &report.problems {
            warn!(registry = problem.registry, "{}", problem.message);
        }
        let patch = json!({"data": {self.node.clone(): json!(report).to_string()}});
        let (parameters, patch) = (PatchParams::default(), Patch::Merge(&patch));
        let sent = timeout(PATIENCE, self.config_maps.patch(&self.reports, &parameters, &patch)).await;
        match sent {
            Ok(Ok(_)) => {
                info!(revision = report.revision, problems = report.problems.len(), "reported");
                self.told = Some((report, Instant::now()));
                true
            }
            Ok(Err(error)) => {
                warn!(error = &error as &dyn std::error::Error, "the report was not taken; it is sent again");
                false
            }
            Err(_) => {
                warn!("the API server did not answer in time; the report is sent again");
                false
            }
        }
    }
}

fn shortened(report: NodeReport) -> NodeReport {
    let short =
        |problem: Problem| Problem { message: problem.message.chars().take(WORDS).collect(), ..problem };
    NodeReport { problems: report.problems.into_iter().take(PROBLEMS).map(short).collect(), ..report }
}
