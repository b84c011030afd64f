//! The contract of `ObjectStore`, one test for each of its sentences, run on every implementation that needs no server.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod fixture;
mod listing;
mod objects;
mod uploads;

use std::sync::Arc;

use berth_storage::{Filesystem, Memory};

pub(crate) use fixture::{Store, body, collect, download, key};

fn memory() -> Store {
    Store { store: Arc::new(Memory::new()), _folder: None }
}

fn filesystem() -> Store {
    let folder = tempfile::tempdir().unwrap();
    Store { store: Arc::new(Filesystem::new(folder.path().join("root"))), _folder: Some(folder) }
}

/// Makes a test of each function for each implementation.
macro_rules! for_every_store {
    ($($sentence:ident),* $(,)?) => {
        mod memory {
            $(#[tokio::test] async fn $sentence() { super::$sentence($crate::memory()).await; })*
        }
        mod filesystem {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $sentence() { super::$sentence($crate::filesystem()).await; })*
        }
    };
}
use for_every_store;
