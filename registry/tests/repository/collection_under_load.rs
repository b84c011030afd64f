//! Many clients push images that share layers while garbage is collected without any minimum age or quarantine: what
//! was acknowledged is complete.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use berth_registry::repository::{Error, Options, Registry, Repository, RunState};
use futures::future::join_all;
use serde_json::Value;

use crate::fixture::*;

const CLIENTS: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_image_is_complete_after_pushes_and_collections_in_memory() {
    push_and_collect(Fixture::memory_in_quick_time(), 100).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_image_is_complete_after_pushes_and_collections_on_disk() {
    push_and_collect(Fixture::filesystem(), 6).await;
}

async fn push_and_collect(fixture: Fixture, rounds: usize) {
    let garbage = push_blob(&fixture.repository("app0"), "garbage").await;
    let is_over = Arc::new(AtomicBool::new(false));
    let collector = tokio::spawn(collect_until(fixture.registry.clone(), Arc::clone(&is_over)));
    let repository = |client| fixture.repository(&format!("app{}", client % 2));
    let clients = (0..CLIENTS).map(|client| tokio::spawn(push_and_pull(repository(client), client, rounds)));
    for outcome in join_all(clients).await {
        outcome.unwrap();
    }
    is_over.store(true, Ordering::Relaxed);
    collector.await.unwrap();
    while has_blob(&fixture.repository("app0"), &garbage).await {
        collect(&fixture.registry).await;
    }
}

/// Collects again and again.
async fn collect_until(registry: Registry, is_over: Arc<AtomicBool>) {
    while !is_over.load(Ordering::Relaxed) {
        collect(&registry).await;
        tokio::task::yield_now().await;
    }
}

/// Collects with no minimum age at all.
async fn collect(registry: &Registry) {
    let options = Options {
        delete_untagged: true,
        minimum_age: Duration::ZERO,
        quarantine: Duration::ZERO,
        finish: true,
        ..Options::default()
    };
    let run = registry.garbage_collection().run_to_end(options).await.unwrap();
    assert_eq!(run.state, RunState::Succeeded, "{run:?}");
}

/// Pushes images of which each shares its layers with other clients', pulls each, and takes its tag away
/// again. So everything is garbage most of the time, and is wanted again soon.
async fn push_and_pull(repository: Repository, client: usize, rounds: usize) {
    for round in 0..rounds {
        let layers = [format!("layer {}", round % 3), format!("layer {}", (round + client) % 5)];
        let tag = format!("v{client}");
        let image = push_as_clients_do(&repository, &tag, &layers.each_ref().map(String::as_str)).await;
        for _ in 0..3 {
            assert_complete(&repository, &tag, &image).await;
        }
        repository.manifests().delete(&reference(&tag)).await.unwrap();
    }
}

async fn assert_complete(repository: &Repository, tag: &str, image: &Value) {
    assert!(has_manifest(repository, tag).await, "{image}");
    for blob in std::iter::once(&image["config"]).chain(image["layers"].as_array().unwrap()) {
        let digest = blob["digest"].as_str().unwrap().parse().unwrap();
        assert!(has_blob(repository, &digest).await, "{digest} of {image}");
    }
}

/// Asks for each blob first and pushes only what is missing; starts again when something has gone meanwhile.
async fn push_as_clients_do(repository: &Repository, tag: &str, layers: &[&str]) -> Value {
    let image = image("{}", layers);
    loop {
        for content in layers.iter().chain(&["{}"]) {
            match repository.blobs().head(&sha256(content)).await {
                Ok(_) => {}
                Err(Error::BlobUnknown(_)) => push_or_be_refused(repository, content).await,
                Err(error) => panic!("{error}"),
            }
        }
        match push_manifest(repository, tag, &image).await {
            Ok(_) => return image,
            Err(Error::ManifestBlobUnknown(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// Pushes a blob. Who takes longer over it than garbage rests, a few milliseconds here, is told that it has gone.
async fn push_or_be_refused(repository: &Repository, content: &str) {
    match repository.uploads().push_whole(&sha256(content), body([content])).await {
        Ok(_) | Err(Error::UploadUnknown(_)) => {}
        Err(error) => panic!("{error}"),
    }
}
