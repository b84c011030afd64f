//! The contract of `ObjectStore`, one test for each of its sentences, run on every implementation.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod listing;
mod objects;
mod uploads;

use std::sync::Arc;

use berth_storage::{ByteStream, Filesystem, Key, Memory, ObjectStore, PutCondition, Version};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use tempfile::TempDir;

/// A store without objects, and the folder that it needs while it is used.
struct Store {
    store: Arc<dyn ObjectStore>,
    _folder: Option<TempDir>,
}

impl Store {
    fn memory() -> Self {
        Self { store: Arc::new(Memory::new()), _folder: None }
    }

    fn filesystem() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { store: Arc::new(Filesystem::new(folder.path().join("root"))), _folder: Some(folder) }
    }

    async fn put(&self, name: &str, body: &str) {
        self.store
            .put(&key(name), Bytes::copy_from_slice(body.as_bytes()), PutCondition::Always)
            .await
            .unwrap();
    }

    async fn version(&self, name: &str) -> Version {
        self.store.head(&key(name)).await.unwrap().version.unwrap()
    }

    async fn read(&self, name: &str) -> Vec<u8> {
        collect(self.store.get(&key(name), None).await.unwrap().body).await
    }

    async fn names(&self) -> Vec<String> {
        let listed: Vec<_> = self.store.list(&Key::default(), None).try_collect().await.unwrap();
        listed.into_iter().map(|meta| meta.key.to_string()).collect()
    }
}

fn key(text: &str) -> Key {
    text.parse().unwrap()
}

fn body(chunks: &[&str]) -> ByteStream {
    let chunks: Vec<_> = chunks.iter().map(|chunk| Ok(Bytes::copy_from_slice(chunk.as_bytes()))).collect();
    stream::iter(chunks).boxed()
}

async fn collect(body: ByteStream) -> Vec<u8> {
    body.try_fold(Vec::new(), |mut all, chunk| async move {
        all.extend_from_slice(&chunk);
        Ok(all)
    })
    .await
    .unwrap()
}

/// Makes a test of each function for each implementation.
macro_rules! for_every_store {
    ($($sentence:ident),* $(,)?) => {
        mod memory {
            $(#[tokio::test] async fn $sentence() { super::$sentence($crate::Store::memory()).await; })*
        }
        mod filesystem {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $sentence() { super::$sentence($crate::Store::filesystem()).await; })*
        }
    };
}
use for_every_store;
