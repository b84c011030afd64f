//! The node: its container runtimes, brought to what the operator tells.

use std::collections::{BTreeMap, BTreeSet};

use tracing::warn;

use super::{
    Options, containerd_config,
    drop_ins::DropIns,
    folder::Folder,
    obstacle::Obstacle,
    runtime::{Runtime, is_sound},
};
use crate::nodes::{Entry, Listing, NodeReport, Objects, Problem, ProblemKind, revision};

/// The runtimes of a node.
#[derive(Debug)]
pub struct Node {
    runtimes: Vec<(Runtime, Folder)>,
    drop_ins: Vec<DropIns>,
}

/// What nodes are told of the Registries, by their keys.
type Listings = BTreeMap<String, Listing>;

impl Node {
    /// The node whose runtimes look where the options say.
    pub fn new(options: &Options) -> Self {
        let owner = Objects::of(options.daemon_set.clone()).owner();
        let with_folder = |runtime: Runtime| {
            let folder = Folder::new(runtime.root(), &owner);
            (runtime, folder)
        };
        Self {
            runtimes: options.runtimes().into_iter().map(with_folder).collect(),
            drop_ins: options.drop_ins.iter().map(|root| DropIns::new(root, &owner)).collect(),
        }
    }

    /// Makes everything as it is told, and reports what could not be done.
    pub fn bring_to(&self, listings: &Listings) -> NodeReport {
        let folders = self.runtimes.iter().flat_map(|(runtime, folder)| tell(runtime, folder, listings));
        let drop_ins = self.drop_ins.iter().flat_map(|drop_ins| mention(drop_ins, listings));
        NodeReport { revision: revision(listings.values()), problems: folders.chain(drop_ins).collect() }
    }

    /// Removes everything that an agent wrote.
    pub fn clear(&self) {
        let folders = self
            .runtimes
            .iter()
            .map(|(runtime, folder)| (runtime.root(), folder.remove_all_but(&BTreeSet::new())));
        let drop_ins =
            self.drop_ins.iter().map(|drop_ins| (drop_ins.root(), drop_ins.remove_all_but(&BTreeSet::new())));
        for (root, removed) in folders.chain(drop_ins) {
            if let Err(error) = removed {
                let error: &dyn std::error::Error = &error;
                warn!(folder = %root.display(), error, "not everything could be removed");
            }
        }
    }
}

/// Brings the folder of a runtime to what is told.
fn tell(runtime: &Runtime, folder: &Folder, listings: &Listings) -> Vec<Problem> {
    let (mut problems, mut kept) = (Vec::new(), BTreeSet::new());
    for (registry, listing, entry) in entries(listings) {
        for wanted in runtime.wanted(listing, entry) {
            if let Err(obstacle) = folder.write(&wanted) {
                problems.push(problem(Some(registry), &obstacle));
            }
            kept.extend(wanted.folders.first().cloned());
        }
    }
    if let Err(error) = folder.remove_all_but(&kept) {
        problems.push(problem(None, &Obstacle::Unwritable(runtime.root().to_owned(), error)));
    }
    problems.extend(unread(runtime));
    problems
}

/// Brings a folder of drop-ins to what is told.
fn mention(drop_ins: &DropIns, listings: &Listings) -> Vec<Problem> {
    let (mut problems, mut kept) = (Vec::new(), BTreeSet::new());
    for (registry, _, entry) in entries(listings) {
        match drop_ins.write(entry) {
            Ok(file) => drop(kept.insert(file)),
            Err(obstacle) => problems.push(problem(Some(registry), &obstacle)),
        }
    }
    if let Err(error) = drop_ins.remove_all_but(&kept) {
        problems.push(problem(None, &Obstacle::Unwritable(drop_ins.root().to_owned(), error)));
    }
    problems
}

/// Every entry that may be written, with its Registry.
fn entries(listings: &Listings) -> impl Iterator<Item = (&String, &Listing, &Entry)> {
    listings.iter().flat_map(|(registry, listing)| {
        let sound = listing.entries.iter().filter(|entry| is_sound(entry));
        sound.map(move |entry| (registry, listing, entry))
    })
}

fn problem(registry: Option<&String>, obstacle: &Obstacle) -> Problem {
    let kind = match obstacle {
        Obstacle::Foreign(_) | Obstacle::Spoken { .. } => ProblemKind::ForeignEntry,
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
    use std::{ffi::OsString, fs, path::Path};

    use clap::Parser;

    use super::*;

    fn node(root: &Path) -> Node {
        let option = |name: &str, folder: &str| format!("--{name}={}", root.join(folder).display());
        Node::new(&Options::parse_from([
            "node-agent".to_owned(),
            "--node=a".to_owned(),
            "--daemon-set=a/b".to_owned(),
            option("containerd", "certs.d"),
            option("drop-ins", "registries.conf.d"),
        ]))
    }

    fn files(folder: &Path) -> Vec<OsString> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    }

    #[test]
    fn a_node_has_what_is_listed_and_reports_what_is_in_the_way() {
        let root = std::env::temp_dir().join(format!("berth-agent-{:016x}", getrandom::u64().unwrap()));
        fs::create_dir_all(root.join("certs.d/quay.io")).unwrap();
        fs::write(root.join("certs.d/quay.io/hosts.toml"), "theirs").unwrap();
        fs::write(root.join("registries.conf"), "[[registry]]\nlocation = \"quay.io\"\n").unwrap();
        let node = node(&root);
        let entry = |host: &str| Entry {
            host: host.to_owned(),
            endpoints: vec!["https://10.96.0.7".to_owned()],
            fallback: None,
            path: None,
        };
        let entries = ["hub.default.svc", "quay.io", "../../etc"].map(entry).to_vec();
        let listing = Listing { revision: 7, ca: Some("PEM".to_owned()), entries };
        let report = node.bring_to(&BTreeMap::from([("default.hub".to_owned(), listing)]));
        assert_eq!(report.revision, 7);
        let told: Vec<_> =
            report.problems.iter().map(|problem| (problem.registry.as_deref(), problem.kind)).collect();
        assert_eq!(told, [(Some("default.hub"), ProblemKind::ForeignEntry); 2]);
        assert!(root.join("certs.d/hub.default.svc/hosts.toml").exists());
        assert_eq!(files(&root.join("registries.conf.d")), ["50-berth-hub.default.svc.conf"]);

        node.clear();
        assert_eq!(files(&root.join("certs.d")), ["quay.io"]);
        assert!(files(&root.join("registries.conf.d")).is_empty());
        fs::remove_dir_all(root).unwrap();
    }
}
