//! Lists that are longer than a page of the server.

use crate::{contract, key};
use berth_storage::{ObjectStore, PutCondition};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use std::collections::BTreeSet;

/// More than are read ahead: S3 tells a thousand at once.
const MANY: usize = 5_200;

async fn children(store: &dyn ObjectStore, start_after: Option<&str>) -> Vec<String> {
    store.children(&key("tags"), start_after).try_collect().await.unwrap()
}

#[tokio::test]
async fn short_names_come_before_the_longer_ones_that_the_server_lists_first() {
    let store = contract::store();
    let mut names: BTreeSet<String> = (0..MANY).map(|patch| format!("1.0.{patch}")).collect();
    names.extend(["1", "1.0", "1.0-alpine", "10", "2", "latest"].map(str::to_owned));
    let keys = names.iter().map(|name| key(&format!("tags/{name}/current/link")));
    let puts =
        keys.map(async |link| store.store.put(&link, Bytes::from_static(b"x"), PutCondition::Always).await);
    stream::iter(puts).buffer_unordered(16).try_collect::<()>().await.unwrap();
    let names: Vec<String> = names.into_iter().collect();
    assert_eq!(children(&*store.store, None).await, names);
    for last in ["1", "1.0", "1.0.5", "1.0.998", "1.0.4999", "10", "latest"] {
        let after: Vec<_> = names.iter().filter(|name| name.as_str() > last).cloned().collect();
        assert_eq!(children(&*store.store, Some(last)).await, after, "after {last}");
    }
    let listed: Vec<_> = store.store.list(&key("tags"), None).try_collect().await.unwrap();
    assert_eq!(listed.len(), names.len());
}
