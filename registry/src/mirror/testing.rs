//! An upstream in memory, which can be told to misbehave, and a mirror of it.

use std::{
    collections::HashMap,
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use berth_oci::{Algorithm, Descriptor, Digest, MediaType, Reference, RepositoryName, Tag};
use berth_storage::{ByteStream, Filesystem, Memory, ObjectStore};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use hyper::http::uri::Authority;
use tempfile::TempDir;
use tokio::sync::Notify;

use super::{Mirror, source::Source};
use crate::{
    config::{self, MirrorCredentials},
    metrics,
    repository::{self, Evicted, Mirrored, Registry, Repository, Rules, digest_of},
    upstream::{Blob, Error, Manifest, ManifestHead, RateLimit, Result},
};

/// A registry in memory.
#[derive(Debug, Default)]
pub(super) struct Fake {
    pub(super) blobs: Mutex<HashMap<Digest, Bytes>>,
    pub(super) manifests: Mutex<HashMap<String, Bytes>>,
    pub(super) referrers: Mutex<Vec<Descriptor>>,
    /// What was asked, in order.
    pub(super) asked: Mutex<Vec<String>>,
    /// What everything is answered with, if it is out of order.
    pub(super) trouble: Mutex<Option<Error>>,
    /// After so many bytes the first body breaks off.
    pub(super) breaks_after: Mutex<Option<usize>>,
    /// Whether bodies stop in their middle until they are told to go on.
    pub(super) halts: AtomicBool,
    pub(super) go_on: Notify,
}

impl Fake {
    pub(super) fn put_blob(&self, content: impl Into<Bytes>) -> Digest {
        let content = content.into();
        let digest = digest_of(Algorithm::Sha256, &content);
        self.blobs.lock().unwrap().insert(digest, content);
        digest
    }

    /// Puts an index of nothing that differs by `note`, under a tag.
    pub(super) fn put_manifest(&self, tag: &str, note: &str) -> Digest {
        let text = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[],"annotations":{{"note":"{note}"}}}}"#,
            MediaType::OCI_INDEX
        );
        let digest = digest_of(Algorithm::Sha256, text.as_bytes());
        let mut manifests = self.manifests.lock().unwrap();
        manifests.insert(tag.to_owned(), text.clone().into());
        manifests.insert(digest.to_string(), text.into());
        digest
    }

    /// Puts an image of these layers, under a tag.
    pub(super) fn put_image(&self, tag: &str, layers: &[Digest]) -> Digest {
        let descriptor = |kind: &str, digest: &Digest| {
            let size = self.blobs.lock().unwrap()[digest].len();
            format!(r#"{{"mediaType":"{kind}","digest":"{digest}","size":{size}}}"#)
        };
        let config =
            descriptor("application/vnd.oci.image.config.v1+json", &self.put_blob(format!("{{}}{tag}")));
        let layers: Vec<_> =
            layers.iter().map(|layer| descriptor("application/vnd.oci.image.layer.v1.tar", layer)).collect();
        let text = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","config":{config},"layers":[{}]}}"#,
            MediaType::OCI_IMAGE,
            layers.join(",")
        );
        let digest = digest_of(Algorithm::Sha256, text.as_bytes());
        let mut manifests = self.manifests.lock().unwrap();
        manifests.insert(tag.to_owned(), text.clone().into());
        manifests.insert(digest.to_string(), text.into());
        digest
    }

    /// Puts an image of nothing that is about another one, under a tag.
    pub(super) fn put_referrer(&self, tag: &str, subject: &Digest) -> Digest {
        let kind = MediaType::OCI_IMAGE;
        let config = self.put_blob("{}");
        let text = format!(
            r#"{{"schemaVersion":2,"mediaType":"{kind}","artifactType":"application/vnd.example.signature","config":{{"mediaType":"application/vnd.oci.empty.v1+json","digest":"{config}","size":2}},"layers":[],"subject":{{"mediaType":"{kind}","digest":"{subject}","size":1}}}}"#
        );
        let digest = digest_of(Algorithm::Sha256, text.as_bytes());
        let mut manifests = self.manifests.lock().unwrap();
        manifests.insert(tag.to_owned(), text.clone().into());
        manifests.insert(digest.to_string(), text.into());
        self.referrers.lock().unwrap().push(Descriptor {
            media_type: kind.parse().unwrap(),
            digest,
            size: 1,
            urls: None,
            artifact_type: None,
            annotations: None,
            platform: None,
        });
        digest
    }

    pub(super) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    fn ask(&self, question: String) -> Result<()> {
        self.asked.lock().unwrap().push(question);
        self.trouble.lock().unwrap().clone().map_or(Ok(()), Err)
    }

    fn find(&self, reference: &Reference) -> Result<(Digest, Bytes)> {
        let found = self.manifests.lock().unwrap().get(&reference.to_string()).cloned();
        found.map(|bytes| (digest_of(Algorithm::Sha256, &bytes), bytes)).ok_or_else(not_found)
    }

    fn body(self: &Arc<Self>, content: &Bytes) -> ByteStream {
        let half = content.len() / 2;
        let pieces = [content.slice(..half), content.slice(half..)];
        let fake = Arc::clone(self);
        let body = stream::iter(pieces).enumerate().then(move |(at, piece)| {
            let fake = Arc::clone(&fake);
            async move {
                if at > 0 && fake.halts.load(Ordering::SeqCst) {
                    fake.go_on.notified().await;
                }
                Ok::<_, io::Error>(piece)
            }
        });
        body.boxed()
    }
}

fn server() -> Authority {
    Authority::from_static("upstream.example.com")
}

pub(super) fn not_found() -> Error {
    Error::NotFound { server: server(), what: "it".to_owned() }
}

pub(super) fn unavailable() -> Error {
    Error::Unavailable { server: server(), reason: "is down".to_owned(), source: None }
}

pub(super) fn rate_limited(seconds: u64) -> Error {
    Error::RateLimited { server: server(), retry_after: Some(Duration::from_secs(seconds)) }
}

/// The fake, as the mirror knows it.
#[derive(Debug)]
struct Answering(Arc<Fake>);

#[async_trait]
impl Source for Answering {
    async fn head_manifest(
        &self,
        name: &RepositoryName,
        reference: &Reference,
        known: Option<&Digest>,
    ) -> Result<Option<ManifestHead>> {
        self.0.ask(format!("HEAD {name}:{reference}"))?;
        let (digest, bytes) = self.0.find(reference)?;
        let head = ManifestHead { digest: Some(digest), media_type: None, size: Some(bytes.len() as u64) };
        Ok((known != Some(&digest)).then_some(head))
    }

    async fn manifest(&self, name: &RepositoryName, reference: &Reference) -> Result<Manifest> {
        self.0.ask(format!("GET {name}:{reference}"))?;
        let (digest, bytes) = self.0.find(reference)?;
        let media_type = berth_oci::Manifest::media_type_of(&bytes).unwrap();
        Ok(Manifest { bytes, media_type, digest })
    }

    async fn head_blob(&self, name: &RepositoryName, digest: &Digest) -> Result<Option<u64>> {
        self.0.ask(format!("HEAD {name} blob"))?;
        let found = self.0.blobs.lock().unwrap().get(digest).map(|content| content.len() as u64);
        found.map(Some).ok_or_else(not_found)
    }

    async fn blob(&self, name: &RepositoryName, digest: &Digest, from: u64) -> Result<Blob> {
        self.0.ask(format!("GET {name} blob from {from}"))?;
        let content = self.0.blobs.lock().unwrap().get(digest).cloned().ok_or_else(not_found)?;
        let rest = content.slice(usize::try_from(from).unwrap()..);
        let body = match self.0.breaks_after.lock().unwrap().take() {
            Some(length) => {
                let broken = stream::iter([Err(io::Error::other("broken off"))]);
                self.0.body(&rest.slice(..length)).chain(broken).boxed()
            }
            None => self.0.body(&rest),
        };
        Ok(Blob { size: Some(content.len() as u64), body })
    }

    async fn tags(&self, name: &RepositoryName) -> Result<Vec<Tag>> {
        self.0.ask(format!("TAGS {name}"))?;
        Ok(self.0.manifests.lock().unwrap().keys().filter_map(|name| name.parse().ok()).collect())
    }

    async fn referrers(&self, name: &RepositoryName, _: &Digest) -> Result<Vec<Descriptor>> {
        self.0.ask(format!("REFERRERS {name}"))?;
        Ok(self.0.referrers.lock().unwrap().clone())
    }

    fn rate_limit(&self) -> Option<RateLimit> {
        None
    }
}

/// A mirror of a fake upstream below `hub`, over a folder.
pub(super) struct Fixture {
    pub(super) fake: Arc<Fake>,
    pub(super) mirror: Arc<Mirror>,
    pub(super) registry: Registry,
    pub(super) folder: TempDir,
}

impl Fixture {
    pub(super) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(super) fn with(change: impl FnOnce(&mut config::Mirror)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(Filesystem::new(folder.path()));
        Self::over(store, folder, change)
    }

    /// Over a storage that cannot read what it has not taken in as a whole.
    pub(super) fn in_memory() -> Self {
        Self::over(Arc::new(Memory::new()), tempfile::tempdir().unwrap(), |_| {})
    }

    fn over(store: Arc<dyn ObjectStore>, folder: TempDir, change: impl FnOnce(&mut config::Mirror)) -> Self {
        let mut config = configured("upstream.example.com", "hub", "https://upstream.example.com");
        change(&mut config);
        let prefixes = config.prefix.iter().cloned().collect();
        let rules = Rules { mirrored: Mirrored { everything: false, prefixes }, ..Rules::default() };
        let registry = Registry::new(store, rules);
        let fake = Arc::new(Fake::default());
        let source = Arc::new(Answering(Arc::clone(&fake)));
        let mirror = Arc::new(Mirror::new(&config, source, metrics::Mirrors::default()));
        Self { fake, mirror, registry, folder }
    }

    pub(super) fn app(&self) -> Repository {
        self.registry.repository("hub/app".parse().unwrap())
    }

    /// Fetches an image as a whole.
    pub(super) async fn fetch(&self, repository: &Repository, tag: &str) {
        self.mirror.fetch_image(repository, &tag.parse().unwrap()).await.unwrap();
    }

    /// Parts with what the mirror may not keep.
    pub(super) async fn evict(&self) -> repository::Result<Evicted> {
        let belongs = |name: &RepositoryName| self.mirror.names.at_upstream(name).is_some();
        self.mirror.evict(&self.registry, belongs).await
    }

    /// Lets everything in a repository look as if it had happened so long ago.
    pub(super) fn age(&self, repository: &Repository, by: Duration) {
        let folder =
            self.folder.path().join("docker/registry/v2/repositories").join(repository.name().as_str());
        let mut ahead = vec![folder];
        while let Some(path) = ahead.pop() {
            if path.is_dir() {
                ahead.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
            } else {
                let file = std::fs::File::options().append(true).open(path).unwrap();
                file.set_modified(std::time::SystemTime::now() - by).unwrap();
            }
        }
    }

    /// The whole blob, as a client gets it.
    pub(super) async fn pull(&self, digest: &Digest) -> io::Result<Vec<u8>> {
        let blob = self.mirror.open_blob(&self.app(), digest, None).await.map_err(io::Error::other)?;
        Ok(blob.body.try_collect::<Vec<Bytes>>().await?.concat())
    }
}

/// A mirror as a configuration says it that sets nothing else.
pub(super) fn configured(upstream: &str, prefix: &str, url: &str) -> config::Mirror {
    config::Mirror {
        upstream: upstream.to_owned(),
        prefix: Some(prefix.parse().unwrap()),
        url: url.parse().unwrap(),
        credentials: MirrorCredentials::None,
        ttl: Duration::ZERO,
        keep: None,
        ca: None,
        limit: None,
        offline: false,
        prefetch: None,
    }
}
