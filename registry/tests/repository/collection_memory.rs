//! How much memory the collection of a million blobs takes. It is measured at two smaller sizes, each in a process of its
//! own, and from these it follows; `just memory` measures the million itself.

use std::env;
use std::ops::Range;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use berth_oci::Digest;
use berth_registry::repository::{Options, Registry, Rules, RunState};
use berth_storage::{
    ByteStream, Error, Filesystem, Key, Object, ObjectMeta, ObjectStore, PutCondition, Result,
};
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _};
use serde_json::json;

const MANIFESTS: u64 = 125;
const LAYERS: u64 = 40;
/// The layers that the manifests of a repository need. As many blobs are garbage.
const NEEDED: u64 = MANIFESTS * LAYERS;

/// How many repositories have a million blobs.
const A_MILLION: u64 = 100;
/// How many are looked at instead. A set has about as much room to spare at both sizes as it has at a million.
const FEWER: [u64; 2] = [6, 25];

/// The variable that says how many repositories there are.
const VARIABLE: &str = "REPOSITORIES";
/// What stands before the result.
const RESULT: &str = "kilobytes at the most: ";

/// The most that the process may take.
const LIMIT_KB: u64 = 200 * 1024;

/// A store that computes its blobs, and keeps nothing but what collections tell each other.
#[derive(Debug)]
struct Vast {
    repositories: u64,
    own: Filesystem,
    old: SystemTime,
    deleted: AtomicU64,
}

fn digest(kind: u8, number: u64) -> Digest {
    let mut hash = [kind; 32];
    // As evenly spread as real ones.
    hash[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    hash[24..].copy_from_slice(&number.to_be_bytes());
    Digest::sha256(hash)
}

fn data(digest: &Digest) -> Key {
    let hex = digest.hex();
    format!("docker/registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2]).parse().unwrap()
}

fn manifest(number: u64) -> Bytes {
    let layer = |layer| json!({"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest(1, layer), "size": 1});
    let layers: Vec<_> = (number * LAYERS..(number + 1) * LAYERS).map(layer).collect();
    json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": layers[0], "layers": layers,
    })
    .to_string()
    .into()
}

impl Vast {
    fn meta(&self, key: Key, size: u64) -> ObjectMeta {
        ObjectMeta { key, size, modified: self.old, version: None }
    }

    /// The links in a folder of the repository with that number.
    fn links<'a>(&'a self, folder: &str, kind: u8, numbers: Range<u64>) -> BoxStream<'a, Result<ObjectMeta>> {
        let folder = folder.to_owned();
        let links = numbers.map(move |number| {
            let hex = digest(kind, number).hex();
            Ok(self.meta(format!("{folder}/sha256/{hex}/link").parse().unwrap(), 71))
        });
        stream::iter(links).boxed()
    }
}

fn is_own(key: &Key) -> bool {
    key.as_str().starts_with("docker/registry/v2/_berth")
}

#[async_trait]
impl ObjectStore for Vast {
    async fn head(&self, key: &Key) -> Result<ObjectMeta> {
        if is_own(key) { self.own.head(key).await } else { Ok(self.meta(key.clone(), 1)) }
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> Result<Object> {
        if is_own(key) {
            return self.own.get(key, range).await;
        }
        let hex = key.as_str().rsplit('/').nth(1).unwrap_or_default();
        let number = hex.get(48..).and_then(|number| u64::from_str_radix(number, 16).ok());
        let bytes = manifest(number.ok_or_else(|| Error::NotFound(key.clone()))?);
        let meta = self.meta(key.clone(), bytes.len() as u64);
        Ok(Object { meta, body: stream::iter([Ok(bytes)]).boxed().into() })
    }

    async fn put(&self, key: &Key, body: Bytes, condition: PutCondition) -> Result<()> {
        self.own.put(key, body, condition).await
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        if is_own(key) {
            return self.own.delete(key).await;
        }
        self.deleted.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn list(&self, prefix: &Key, start_after: Option<&Key>) -> BoxStream<'_, Result<ObjectMeta>> {
        if is_own(prefix) {
            return self.own.list(prefix, start_after);
        }
        let Some((folder, kind)) = prefix.as_str().rsplit_once('/') else { return stream::empty().boxed() };
        if kind == "blobs" {
            let numbers = 0..2 * NEEDED * self.repositories;
            return stream::iter(numbers.map(|number| Ok(self.meta(data(&digest(1, number)), 1)))).boxed();
        }
        let repository = folder.trim_end_matches("/_manifests").rsplit("/r").next();
        let number: u64 = repository.and_then(|number| number.parse().ok()).unwrap_or_default();
        match kind {
            "revisions" => self.links(prefix.as_str(), 2, number * MANIFESTS..(number + 1) * MANIFESTS),
            "_layers" => self.links(prefix.as_str(), 1, number * NEEDED..(number + 1) * NEEDED),
            _ => stream::empty().boxed(),
        }
    }

    fn children(&self, prefix: &Key, start_after: Option<&str>) -> BoxStream<'_, Result<String>> {
        let names: Vec<_> = match prefix.as_str() {
            own if own.contains("_berth") => return self.own.children(prefix, start_after),
            "docker/registry/v2/repositories" => {
                (0..self.repositories).map(|number| Ok(format!("r{number}"))).collect()
            }
            repository if !repository.contains("/_") => vec![Ok("_layers".into()), Ok("_manifests".into())],
            _ => Vec::new(),
        };
        stream::iter(names).boxed()
    }

    async fn append(&self, upload: &Key, _: u64, _: ByteStream, _: Option<&Key>) -> Result<u64> {
        Err(Error::NotFound(upload.clone()))
    }

    async fn upload_size(&self, upload: &Key) -> Result<u64> {
        Err(Error::NotFound(upload.clone()))
    }

    async fn complete(&self, upload: &Key, _: u64, _: &Key) -> Result<()> {
        Err(Error::NotFound(upload.clone()))
    }

    async fn abort(&self, _: &Key) -> Result<()> {
        Ok(())
    }
}

/// The most memory that the process has had, in kilobytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

// The lease is renewed by another thread, as this store never waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes for a million blobs"]
async fn a_million_blobs_are_collected_in_less_than_two_hundred_megabytes() {
    let repositories = env::var(VARIABLE).map_or(A_MILLION, |number| number.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let old = SystemTime::now() - Duration::from_hours(48);
    let own = Filesystem::new(folder.path());
    let store = Vast { repositories, own, old, deleted: AtomicU64::default() };
    let registry = Registry::new(std::sync::Arc::new(store), Rules::default());
    let options = Options { quarantine: Duration::ZERO, finish: true, ..Options::default() };
    let run = registry.garbage_collection().run_to_end(options).await.unwrap();
    assert_eq!(run.state, RunState::Succeeded, "{:?}", run.error);
    let needed = NEEDED * repositories;
    assert_eq!((run.quarantined, run.blobs_deleted), (needed, needed));
    println!("\n{RESULT}{}", peak());
    assert!(peak() < LIMIT_KB, "{} kB", peak());
}

/// The memory that a process takes at the most that collects so many repositories.
fn peak_of(repositories: u64) -> u64 {
    let test = "collection_memory::a_million_blobs_are_collected_in_less_than_two_hundred_megabytes";
    let mut process = Command::new(env::current_exe().unwrap());
    process.args(["--exact", test, "--ignored", "--nocapture"]).env(VARIABLE, repositories.to_string());
    let output = process.output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    let result = printed.lines().find_map(|line| line.strip_prefix(RESULT));
    result.unwrap_or_else(|| panic!("{printed}")).parse().unwrap()
}

#[test]
fn memory_grows_so_little_with_blobs_that_a_million_take_less_than_two_hundred_megabytes() {
    let [few, many] = FEWER;
    let (less, more) = (peak_of(few), peak_of(many));
    let a_repository = more.saturating_sub(less) / (many - few);
    let million = more + a_repository * (A_MILLION - many);
    println!("{less} kB and {more} kB, thus {million} kB for a million blobs");
    assert!(million < LIMIT_KB, "{million} kB, since {few} repositories take {less} kB and {many} {more} kB");
}
