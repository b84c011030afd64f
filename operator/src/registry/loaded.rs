//! What each replica says it has loaded: the files that a running registry reads again when they change, by their digests.
//!
//! Replicas are asked directly, since nobody else knows: that a Secret is written says nothing of when a kubelet shows it to a
//! pod, nor whether the registry could use it. One that cannot be asked is told of and never guessed about.

mod live_files;
mod poke;
mod question;
mod waiting;

use std::collections::BTreeMap;

use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client, ResourceExt, api::ListParams};

pub use live_files::{LiveFiles, digest};
pub use poke::poke;
pub use question::Unasked;
pub use waiting::Waiting;

use crate::metadata::Identity;
use poke::LIVE_HASH;

/// How many replicas are asked at the same time; a Registry has no more.
const AT_ONCE: usize = 50;

/// The replicas that serve, or are about to, and what they have loaded.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// One for each pod that is on a node and not about to go.
    pub replicas: Vec<Replica>,
}

/// A replica, and what it has loaded.
#[derive(Clone, Debug)]
pub struct Replica {
    /// The name of its pod.
    pub name: String,
    /// The identity of its pod.
    pub uid: Option<String>,
    /// For which files its pod was poked last.
    pub poked_for: Option<String>,
    /// The digest of each file that is in force there, by path, or why it could not tell.
    pub files: Result<BTreeMap<String, String>, Unasked>,
}

impl Loaded {
    /// Asks every replica of a Registry.
    pub async fn observe(client: &Client, identity: &Identity) -> Result<Self, kube::Error> {
        let pods: Api<Pod> = Api::namespaced(client.clone(), &identity.namespace);
        let list = pods.list(&ListParams::default().labels(&identity.selector_text())).await?;
        let counted = list.items.into_iter().filter(counts);
        let replicas = stream::iter(counted).map(Replica::ask).buffered(AT_ONCE).collect().await;
        Ok(Self { replicas })
    }

    /// Whether every replica says that it has loaded the file at `path` with this `digest` (`sha256:…`). It is true of no
    /// replica: the next one reads what is there when it starts.
    pub fn all_have(&self, path: &str, digest: &str) -> bool {
        self.replicas.iter().all(|replica| replica.has(path, digest))
    }
}

impl Replica {
    async fn ask(pod: Pod) -> Self {
        let address = pod.status.as_ref().and_then(|status| status.pod_ip.as_deref());
        Self {
            files: question::files(address).await,
            name: pod.name_any(),
            uid: pod.uid(),
            poked_for: pod.annotations().get(LIVE_HASH).cloned(),
        }
    }

    fn has(&self, path: &str, digest: &str) -> bool {
        self.files.as_ref().is_ok_and(|files| files.get(path).is_some_and(|loaded| loaded == digest))
    }
}

/// Whether it matters what a pod has loaded. One that is about to go serves only what it has begun, and one on no node yet has
/// read nothing; but one that is starting may have been given files that were replaced since.
fn counts(pod: &Pod) -> bool {
    let status = pod.status.as_ref();
    let ended = status.and_then(|status| status.phase.as_deref());
    let is_placed = pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some())
        || status.is_some_and(|status| status.pod_ip.is_some());
    pod.metadata.deletion_timestamp.is_none() && is_placed && !matches!(ended, Some("Succeeded" | "Failed"))
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// Paths and digests, or why they are not known.
    pub(crate) type Told<'a> = Result<&'a [(&'a str, &'a str)], Unasked>;

    /// Replicas that have loaded these files, or could not be asked.
    pub(crate) fn loaded(replicas: &[Told<'_>]) -> Loaded {
        let replica = |(index, files): (usize, &Told<'_>)| Replica {
            name: format!("hub-{index}"),
            uid: None,
            poked_for: None,
            files: files.map(|files| {
                files.iter().map(|(path, digest)| ((*path).to_owned(), (*digest).to_owned())).collect()
            }),
        };
        Loaded { replicas: replicas.iter().enumerate().map(replica).collect() }
    }

    #[test]
    fn a_file_is_everywhere_when_every_replica_says_so() {
        let (new, old) = (&[("/users", "sha256:2")][..], &[("/users", "sha256:1")][..]);
        let everywhere = |replicas: &[_]| loaded(replicas).all_have("/users", "sha256:2");
        assert!(everywhere(&[]) && everywhere(&[Ok(new), Ok(new)]));
        assert!(!everywhere(&[Ok(new), Ok(old)]));
        assert!(!everywhere(&[Ok(new), Ok(&[])]), "a file that is not followed is not known to be there");
        assert!(!everywhere(&[Ok(new), Err(Unasked::NoAnswer)]), "silence says nothing");
    }

    #[test]
    fn pods_on_no_node_and_pods_that_go_do_not_count() {
        let counted = |metadata: Value, spec: Value, status: Value| {
            let pod = json!({"metadata": metadata, "spec": spec, "status": status});
            counts(&serde_json::from_value(pod).unwrap())
        };
        let placed = || json!({"containers": [], "nodeName": "a"});
        assert!(counted(json!({}), placed(), json!({"phase": "Running", "podIP": "10.0.0.1"})));
        assert!(counted(json!({}), placed(), json!({"phase": "Pending"})), "it may hold older files already");
        assert!(!counted(json!({}), json!({"containers": []}), json!({"phase": "Pending"})));
        assert!(!counted(json!({}), placed(), json!({"phase": "Failed"})));
        let going = json!({"deletionTimestamp": "2026-03-01T00:00:00Z"});
        assert!(!counted(going, placed(), json!({"phase": "Running"})));
    }
}
