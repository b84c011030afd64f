//! A store to be tested, and what the tests do with it.

use std::io;
use std::process::Command;
use std::sync::Arc;

use berth_storage::{ByteStream, Key, ObjectStore, PutCondition, Version};
use bytes::Bytes;
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use tempfile::TempDir;

/// A store without objects, and the folder that it needs while it is used.
pub(crate) struct Store {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) _folder: Option<TempDir>,
}

impl Store {
    pub(crate) async fn put(&self, name: &str, body: &str) {
        self.store
            .put(&key(name), Bytes::copy_from_slice(body.as_bytes()), PutCondition::Always)
            .await
            .unwrap();
    }

    pub(crate) async fn version(&self, name: &str) -> Version {
        self.store.head(&key(name)).await.unwrap().version.unwrap()
    }

    pub(crate) async fn read(&self, name: &str) -> Vec<u8> {
        collect(self.store.get(&key(name), None).await.unwrap().body).await
    }

    pub(crate) async fn names(&self) -> Vec<String> {
        let listed: Vec<_> = self.store.list(&Key::default(), None).try_collect().await.unwrap();
        listed.into_iter().map(|meta| meta.key.to_string()).collect()
    }
}

pub(crate) fn key(text: &str) -> Key {
    text.parse().unwrap()
}

pub(crate) fn body(chunks: &[&str]) -> ByteStream {
    let chunks: Vec<_> = chunks.iter().map(|chunk| Ok(Bytes::copy_from_slice(chunk.as_bytes()))).collect();
    stream::iter(chunks).boxed()
}

pub(crate) async fn collect(body: impl Stream<Item = io::Result<Bytes>>) -> Vec<u8> {
    body.try_fold(Vec::new(), |mut all, chunk| async move {
        all.extend_from_slice(&chunk);
        Ok(all)
    })
    .await
    .unwrap()
}

/// The status and the body that `curl` gets from a URL.
pub(crate) fn download(url: &str, arguments: &[&str]) -> (u16, Vec<u8>) {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--write-out", "%{stderr}%{http_code}"]).args(arguments).arg(url);
    let output = curl.output().unwrap();
    (String::from_utf8_lossy(&output.stderr).parse().unwrap(), output.stdout)
}
