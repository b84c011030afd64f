//! Whether the agent ends for good, and should leave nothing behind.

use std::time::Duration;

use kube::Client;
use tokio::time::timeout;

use crate::nodes::Objects;

/// How long the API server may take to say so. The kubelet waits for half a minute.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whether the DaemonSet of the agent is gone. A pod also ends when its node is drained or the agent is upgraded, and then images
/// go on being pulled. An agent that has lost its rights was uninstalled too: they go after its DaemonSet.
pub(super) async fn is_uninstalled(objects: &Objects, client: &Client) -> bool {
    let daemon_sets = objects.daemon_sets(client);
    match timeout(PATIENCE, daemon_sets.get_opt(objects.name())).await {
        Ok(Ok(found)) => found.is_none_or(|found| found.metadata.deletion_timestamp.is_some()),
        Ok(Err(kube::Error::Api(status))) => matches!(status.code, 401 | 403),
        // Who does not answer has not said so.
        Ok(Err(_)) | Err(_) => false,
    }
}
