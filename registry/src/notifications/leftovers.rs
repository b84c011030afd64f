//! What waits for endpoints that are no longer configured: nobody will ever deliver it, so it is told and removed.

use std::{collections::HashSet, sync::Arc};

use berth_storage::{ObjectStore, Result};
use futures::{StreamExt, TryStreamExt};

use super::{
    backlog,
    layout::{self, BatchName},
};

/// Removes the queues of all endpoints but `configured`.
pub(super) async fn remove(store: Arc<dyn ObjectStore>, configured: HashSet<String>) {
    if let Err(error) = remove_except(&*store, &configured).await {
        let error: &dyn std::error::Error = &error;
        tracing::warn!(error, "what is left of former endpoints of notifications could not be removed");
    }
}

async fn remove_except(store: &dyn ObjectStore, configured: &HashSet<String>) -> Result<()> {
    let known: HashSet<_> = configured.iter().map(|name| layout::endpoint(name)).collect();
    let folders = store.children(&layout::root(), None).map_ok(|folder| layout::root().join(folder));
    let folders: Vec<_> = folders.try_collect().await?;
    for folder in folders.iter().filter(|folder| !known.contains(folder)) {
        let objects: Vec<_> = store.list(folder, None).map_ok(|meta| meta.key).try_collect().await?;
        let names =
            objects.iter().filter_map(|key| key.as_str().rsplit('/').next()?.parse::<BatchName>().ok());
        let events = backlog::events(&names.collect::<Vec<_>>());
        if !objects.is_empty() {
            tracing::warn!(
                folder = %folder,
                events,
                "notifications waited for an endpoint that is no longer configured, and are removed"
            );
        }
        futures::stream::iter(&objects).map(Ok).try_for_each(|key| store.delete(key)).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use berth_storage::{Memory, PutCondition};

    #[tokio::test]
    async fn only_what_waits_for_former_endpoints_is_removed() {
        let store = Memory::new();
        for endpoint in ["kept", "former"] {
            let batch = layout::queue(endpoint).join("01790000000000000-000000ab-pulls-64");
            store.put(&batch, "[]".into(), PutCondition::Always).await.unwrap();
            store.put(&layout::lease(endpoint), "{}".into(), PutCondition::Always).await.unwrap();
        }
        remove_except(&store, &HashSet::from(["kept".to_owned()])).await.unwrap();
        let left: Vec<_> = store.children(&layout::root(), None).try_collect().await.unwrap();
        assert_eq!(left, ["kept"]);
        assert_eq!(store.list(&layout::endpoint("kept"), None).count().await, 2);
    }
}
