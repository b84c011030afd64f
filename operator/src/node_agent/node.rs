//! The node: its container runtimes, brought to what the operator tells.

use std::collections::{BTreeMap, BTreeSet};

use tracing::warn;

use super::{
    containerd_config,
    folder::{Folder, Obstacle},
    runtime::{Runtime, is_sound},
};
use crate::nodes::{Listing, NodeReport, Problem, ProblemKind, revision};

/// The runtimes of a node.
#[derive(Debug)]
pub(super) struct Node {
    runtimes: Vec<(Runtime, Folder)>,
}

impl Node {
    /// A node with these runtimes; `owner` marks what is written.
    pub(super) fn new(runtimes: &[Runtime], owner: &str) -> Self {
        let with_folder = |runtime: &Runtime| (runtime.clone(), Folder::new(runtime.root(), owner));
        Self { runtimes: runtimes.iter().map(with_folder).collect() }
    }

    /// Makes everything as it is told, and reports what could not be done.
    pub(super) fn bring_to(&self, listings: &BTreeMap<String, Listing>) -> NodeReport {
        let mut report = NodeReport { revision: revision(listings.values()), problems: Vec::new() };
        for (runtime, folder) in &self.runtimes {
            let mut kept = BTreeSet::new();
            for (registry, listing) in listings {
                for entry in listing.entries.iter().filter(|entry| is_sound(entry)) {
                    let Some(wanted) = runtime.wanted(listing, entry) else { continue };
                    if let Err(obstacle) = folder.write(&wanted) {
                        report.problems.push(problem(Some(registry), &obstacle));
                    }
                    kept.extend(wanted.folders.first().cloned());
                }
            }
            let kept = kept.iter().map(String::as_str).collect();
            if let Err(error) = folder.remove_all_but(&kept) {
                let obstacle = Obstacle::Unwritable(runtime.root().to_owned(), error);
                report.problems.push(problem(None, &obstacle));
            }
            report.problems.extend(unread(runtime));
        }
        report
    }

    /// Removes everything that an agent wrote.
    pub(super) fn clear(&self) {
        for (runtime, folder) in &self.runtimes {
            if let Err(error) = folder.remove_all_but(&BTreeSet::new()) {
                warn!(
                    folder = %runtime.root().display(),
                    error = &error as &dyn std::error::Error,
                    "not everything could be removed"
                );
            }
        }
    }
}

fn problem(registry: Option<&String>, obstacle: &Obstacle) -> Problem {
    let kind = match obstacle {
        Obstacle::Foreign(_) => ProblemKind::ForeignEntry,
        Obstacle::Unwritable(..) => ProblemKind::NotWritten,
    };
    Problem { registry: registry.cloned(), kind, message: obstacle.to_string() }
}

fn unread(runtime: &Runtime) -> Option<Problem> {
    let Runtime::Containerd { hosts, config: Some(config) } = runtime else { return None };
    let message = containerd_config::problem(config, hosts)?;
    Some(Problem { registry: None, kind: ProblemKind::ConfigPathUnset, message })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::nodes::Entry;

    #[test]
    fn a_node_has_what_is_listed_and_reports_what_is_in_the_way() {
        let root = std::env::temp_dir().join(format!("berth-agent-{:016x}", getrandom::u64().unwrap()));
        fs::create_dir_all(root.join("quay.io")).unwrap();
        fs::write(root.join("quay.io/hosts.toml"), "theirs").unwrap();
        let node = Node::new(&[Runtime::Containerd { hosts: root.clone(), config: None }], "a/b");
        let entry = |host: &str| Entry {
            host: host.to_owned(),
            endpoints: vec!["https://10.96.0.7".to_owned()],
            fallback: None,
        };
        let entries = ["hub.default.svc", "quay.io", "../../etc"].map(entry).to_vec();
        let listing = Listing { revision: 7, ca: Some("PEM".to_owned()), entries };
        let report = node.bring_to(&BTreeMap::from([("default.hub".to_owned(), listing)]));
        assert_eq!(report.revision, 7);
        let told: Vec<_> =
            report.problems.iter().map(|problem| (problem.registry.as_deref(), problem.kind)).collect();
        assert_eq!(told, [(Some("default.hub"), ProblemKind::ForeignEntry)]);
        assert!(root.join("hub.default.svc/hosts.toml").exists());

        node.clear();
        let left: Vec<_> = fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["quay.io"]);
        fs::remove_dir_all(root).unwrap();
    }
}
