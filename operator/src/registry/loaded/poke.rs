//! Makes new files reach the pods at once. A kubelet refreshes what it mounts of Secrets and `ConfigMaps` once a minute or so, but
//! whenever a pod changes, too: so an annotation of the pods is changed.

use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use serde_json::json;
use tracing::{debug, info, warn};

use super::{LiveFiles, Loaded, Replica};
use crate::metadata::{Identity, OPERATOR};

/// Which files a pod was poked for: a hash of what running registries read again by themselves.
pub(super) const LIVE_HASH: &str = "berth.dev/live-hash";

/// Pokes those replicas that say that they have older files, each once for the same files.
pub async fn poke(
    client: &Client,
    identity: &Identity,
    files: &LiveFiles,
    loaded: &Loaded,
) -> Result<(), kube::Error> {
    let hash = files.hash();
    let pods: Api<Pod> = Api::namespaced(client.clone(), &identity.namespace);
    for replica in loaded.replicas.iter().filter(|replica| needs_a_poke(replica, files, &hash)) {
        // Not server-side apply, which would make a pod that has just gone.
        let patch = json!({"metadata": {"uid": replica.uid, "annotations": {LIVE_HASH: hash}}});
        let parameters = PatchParams { field_manager: Some(OPERATOR.to_owned()), ..PatchParams::default() };
        match pods.patch(&replica.name, &parameters, &Patch::Merge(patch)).await {
            Ok(_) => info!(pod = replica.name, "poked, so that its node shows it the new files"),
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => {
                debug!(pod = replica.name, "is gone, or another one now");
            }
            // An admission plugin, perhaps. The files come all the same, only later.
            Err(kube::Error::Api(status)) if matches!(status.code, 400 | 403 | 422) => {
                warn!(pod = replica.name, refusal = status.message, "the pod could not be poked");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn needs_a_poke(replica: &Replica, files: &LiveFiles, hash: &str) -> bool {
    replica.files.is_ok() && !files.are_in(replica) && replica.poked_for.as_deref() != Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::loaded::{Unasked, tests::loaded};

    #[test]
    fn a_replica_with_older_files_is_poked_once_for_the_same_hash() {
        let files = LiveFiles::of_one("/users", "sha256:2");
        let mut replica = loaded(&[Ok(&[("/users", "sha256:1")])]).replicas.remove(0);
        assert!(needs_a_poke(&replica, &files, "h"));
        replica.poked_for = Some("h".to_owned());
        assert!(!needs_a_poke(&replica, &files, "h") && needs_a_poke(&replica, &files, "i"));
    }

    #[test]
    fn a_replica_that_has_the_files_or_cannot_tell_is_left_alone() {
        let files = LiveFiles::of_one("/users", "sha256:2");
        let both = loaded(&[Ok(&[("/users", "sha256:2")]), Err(Unasked::NoAnswer)]);
        assert!(both.replicas.iter().all(|replica| !needs_a_poke(replica, &files, "h")));
    }
}
