//! The registry's rules, without HTTP: each test runs on a store in memory and on one in a folder.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends at the first surprise")]

mod blobs;
mod catalog;
mod collection_memory;
mod collection_under_load;
mod concurrent_pushes;
mod consistency;
mod contents;
mod copies;
mod deletion;
mod fixture;
mod garbage_collection;
mod manifests;
mod media_types;
mod quarantine;
mod read_only;
mod referrers;
mod remembered;
mod required_content;
mod retention;
mod room;
mod shared_folder;
mod spent_uploads;
mod tags;
mod trash;
mod uploads;
mod usage;

/// Makes a test of each function for each kind of store.
macro_rules! for_every_store {
    ($($sentence:ident),* $(,)?) => {
        mod memory {
            $(#[tokio::test] async fn $sentence() { super::$sentence($crate::fixture::Fixture::memory()).await; })*
        }
        mod filesystem {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $sentence() { super::$sentence($crate::fixture::Fixture::filesystem()).await; })*
        }
    };
}
use for_every_store;
