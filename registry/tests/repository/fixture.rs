//! A registry to push to, and things to push.

use std::io;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use berth_oci::{Descriptor, Digest, MediaType, Reference, RepositoryName};
use berth_registry::repository::{Error, Page, PushedManifest, Registry, Repository, Result, Rules};
use berth_storage::{ByteStream, Clock, Filesystem, Key, Memory, ObjectStore};
use bytes::Bytes;
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Value, json};
use sha2::Digest as _;
use tempfile::TempDir;

/// A registry without repositories, where everything is allowed.
pub(crate) struct Fixture {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) registry: Registry,
    _folder: Option<TempDir>,
}

impl Fixture {
    pub(crate) fn memory() -> Self {
        Self::over(Arc::new(Memory::new()), None)
    }

    pub(crate) fn filesystem() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::over(Arc::new(Filesystem::new(folder.path())), Some(folder))
    }

    fn over(store: Arc<dyn ObjectStore>, folder: Option<TempDir>) -> Self {
        let rules = Rules { delete_enabled: true, ..Rules::default() };
        Self { registry: Registry::new(Arc::clone(&store), rules), store, _folder: folder }
    }

    /// A store in memory and a time that passes quickly, so that everything is old soon.
    pub(crate) fn memory_in_quick_time() -> Self {
        let (start, started) = (SystemTime::now(), Instant::now());
        let clock = Clock::new(move || start + started.elapsed() * 1000);
        let store: Arc<dyn ObjectStore> = Arc::new(Memory::with_clock(clock.clone()));
        let rules = Rules { delete_enabled: true, ..Rules::default() };
        Self { registry: Registry::with_clock(Arc::clone(&store), rules, clock), store, _folder: None }
    }

    /// Another process over the same store.
    pub(crate) fn with_rules(&self, rules: Rules) -> Registry {
        Registry::new(Arc::clone(&self.store), rules)
    }

    pub(crate) fn repository(&self, name: &str) -> Repository {
        self.registry.repository(self::name(name))
    }

    /// The keys of all objects but those in which garbage collections tell each other of themselves.
    pub(crate) async fn keys(&self) -> Vec<String> {
        let listed: Vec<_> = self.store.list(&Key::default(), None).try_collect().await.unwrap();
        let keys = listed.into_iter().map(|meta| meta.key.to_string());
        keys.filter(|key| !key.starts_with("docker/registry/v2/_berth/garbage-collection/")).collect()
    }
}

pub(crate) fn name(text: &str) -> RepositoryName {
    text.parse().unwrap()
}

pub(crate) fn reference(text: &str) -> Reference {
    text.parse().unwrap()
}

pub(crate) fn sha256(content: impl AsRef<[u8]>) -> Digest {
    Digest::sha256(sha2::Sha256::digest(content).into())
}

pub(crate) fn sha512(content: impl AsRef<[u8]>) -> Digest {
    Digest::sha512(sha2::Sha512::digest(content).into())
}

/// What is longer than the uploads of which nothing is kept but their bytes, and ends with the text.
pub(crate) fn long(text: &str) -> String {
    "-".repeat(4 << 20) + text
}

/// A body that arrives in the given chunks.
pub(crate) fn body<const N: usize>(chunks: [&str; N]) -> ByteStream {
    let chunks = chunks.map(|chunk| Ok(Bytes::copy_from_slice(chunk.as_bytes())));
    stream::iter(chunks).boxed()
}

pub(crate) async fn collect(body: impl Stream<Item = io::Result<Bytes>>) -> Vec<u8> {
    body.try_collect::<Vec<_>>().await.unwrap().concat()
}

pub(crate) async fn push_blob(repository: &Repository, content: &str) -> Digest {
    let digest = sha256(content);
    repository.uploads().push_whole(&digest, body([content])).await.unwrap();
    digest
}

pub(crate) fn descriptor(media_type: &str, content: &str) -> Value {
    json!({"mediaType": media_type, "digest": sha256(content), "size": content.len()})
}

/// An image whose config and layers have the given contents.
pub(crate) fn image(config: &str, layers: &[&str]) -> Value {
    let layer = |content: &&str| descriptor("application/vnd.oci.image.layer.v1.tar", content);
    json!({
        "schemaVersion": 2,
        "mediaType": MediaType::OCI_IMAGE,
        "config": descriptor("application/vnd.oci.image.config.v1+json", config),
        "layers": layers.iter().map(layer).collect::<Vec<_>>(),
    })
}

/// An index of the given manifests.
pub(crate) fn index(manifests: &[&Value]) -> Value {
    let manifests = manifests.iter().map(|manifest| descriptor(MediaType::OCI_IMAGE, &manifest.to_string()));
    json!({
        "schemaVersion": 2,
        "mediaType": MediaType::OCI_INDEX,
        "manifests": manifests.collect::<Vec<_>>(),
    })
}

/// The manifest, with `subject` as its subject.
pub(crate) fn about(subject: &Value, mut manifest: Value) -> Value {
    manifest["subject"] = descriptor(MediaType::OCI_IMAGE, &subject.to_string());
    manifest
}

pub(crate) async fn push_manifest(
    repository: &Repository,
    to: &str,
    manifest: &Value,
) -> Result<PushedManifest> {
    repository.manifests().put(&reference(to), None, manifest.to_string().into()).await
}

/// Pushes blobs and manifest of an image, and returns its manifest.
pub(crate) async fn push_image(repository: &Repository, to: &str, config: &str, layers: &[&str]) -> Value {
    push_blob(repository, config).await;
    for layer in layers {
        push_blob(repository, layer).await;
    }
    let image = image(config, layers);
    push_manifest(repository, to, &image).await.unwrap();
    image
}

pub(crate) fn digest_of(manifest: &Value) -> Digest {
    sha256(manifest.to_string())
}

/// Pushes a manifest by its digest only.
pub(crate) async fn push_untagged(repository: &Repository, manifest: &Value) -> Digest {
    let digest = digest_of(manifest);
    push_manifest(repository, &digest.to_string(), manifest).await.unwrap();
    digest
}

/// Everything that refers to `subject`.
pub(crate) async fn referrers_of(repository: &Repository, subject: &Digest) -> Vec<Descriptor> {
    repository.referrers().list(subject, None, &Page::default()).await.unwrap().items
}

pub(crate) async fn has_manifest(repository: &Repository, reference: &str) -> bool {
    match repository.manifests().get(&self::reference(reference)).await {
        Ok(_) => true,
        Err(Error::ManifestUnknown(_)) => false,
        Err(error) => panic!("{error}"),
    }
}

pub(crate) async fn has_blob(repository: &Repository, digest: &Digest) -> bool {
    match repository.blobs().open(digest, None).await {
        Ok(_) => true,
        Err(Error::BlobUnknown(_)) => false,
        Err(error) => panic!("{error}"),
    }
}
