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

/// How a million blobs are spread: half of them are layers that manifests need, and half are garbage.
#[derive(Debug, Clone, Copy)]
struct Shape {
    repositories: u64,
    /// How many manifests each repository has.
    manifests: u64,
    /// How many layers each of them has, of its own.
    layers: u64,
    /// Whether every other manifest has no tag and is to be deleted.
    with_untagged: bool,
}

/// Many repositories with large images.
const SPREAD: Shape = Shape { repositories: 100, manifests: 125, layers: 40, with_untagged: false };

/// One repository with a quarter of a million small images.
const AT_ONE_PLACE: Shape = Shape { repositories: 1, manifests: 250_000, layers: 2, with_untagged: true };

/// So much of it is looked at instead. A set has about as much room to spare at both sizes as it has at the whole.
const SHARES: [u64; 2] = [16, 4];

/// The variable that says how blobs are spread, and that a process is to collect them.
const VARIABLE: &str = "COLLECTED_SHAPE";
/// What stands before the result.
const RESULT: &str = "kilobytes at the most: ";

/// The most that the process may take.
const LIMIT_KB: u64 = 200 * 1024;

/// A store that computes its blobs, and keeps nothing but what collections tell each other.
#[derive(Debug)]
struct Vast {
    shape: Shape,
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

fn manifest(number: u64, layers: u64) -> Bytes {
    let layer = |layer| json!({"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest(1, layer), "size": 1});
    let layers: Vec<_> = (number * layers..(number + 1) * layers).map(layer).collect();
    json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": layers[0], "layers": layers,
    })
    .to_string()
    .into()
}

impl Shape {
    /// The layers that manifests need. As many blobs are garbage.
    fn needed(self) -> u64 {
        self.all_manifests() * self.layers
    }

    fn all_manifests(self) -> u64 {
        self.repositories * self.manifests
    }

    fn untagged(self) -> u64 {
        if self.with_untagged { self.all_manifests() / 2 } else { 0 }
    }

    /// A share of it.
    fn over(self, share: u64) -> Self {
        match self.repositories {
            1 => Self { manifests: self.manifests / share, ..self },
            repositories => Self { repositories: repositories / share, ..self },
        }
    }

    fn to_text(self) -> String {
        let Self { repositories, manifests, layers, with_untagged } = self;
        format!("{repositories} {manifests} {layers} {}", u64::from(with_untagged))
    }

    fn of_text(text: &str) -> Self {
        let numbers: Vec<u64> = text.split(' ').map(|number| number.parse().unwrap()).collect();
        let [repositories, manifests, layers, with_untagged] = numbers[..] else { panic!("{text}") };
        Self { repositories, manifests, layers, with_untagged: with_untagged == 1 }
    }
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
        let bytes = if let Some(tag) = key.as_str().strip_suffix("/current/link") {
            let number = tag.rsplit('-').next().and_then(|number| number.parse().ok());
            digest(2, number.unwrap()).to_string().into()
        } else {
            let hex = key.as_str().rsplit('/').nth(1).unwrap_or_default();
            let number = hex.get(48..).and_then(|number| u64::from_str_radix(number, 16).ok());
            manifest(number.ok_or_else(|| Error::NotFound(key.clone()))?, self.shape.layers)
        };
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
            let layers = (0..2 * self.shape.needed()).map(|number| digest(1, number));
            let all = layers.chain((0..self.shape.all_manifests()).map(|number| digest(2, number)));
            return stream::iter(all.map(|digest| Ok(self.meta(data(&digest), 1)))).boxed();
        }
        let repository = folder.trim_end_matches("/_manifests").rsplit("/r").next();
        let number: u64 = repository.and_then(|number| number.parse().ok()).unwrap_or_default();
        let manifests = number * self.shape.manifests..(number + 1) * self.shape.manifests;
        let layers = self.shape.layers;
        match kind {
            "revisions" => self.links(prefix.as_str(), 2, manifests),
            "_layers" => self.links(prefix.as_str(), 1, manifests.start * layers..manifests.end * layers),
            _ => stream::empty().boxed(),
        }
    }

    fn children(&self, prefix: &Key, start_after: Option<&str>) -> BoxStream<'_, Result<String>> {
        let names: Vec<_> = match prefix.as_str() {
            own if own.contains("_berth") => return self.own.children(prefix, start_after),
            "docker/registry/v2/repositories" => {
                (0..self.shape.repositories).map(|number| Ok(format!("r{number}"))).collect()
            }
            tags if tags.ends_with("_manifests/tags") => {
                let tagged = (0..self.shape.manifests).step_by(2);
                return stream::iter(tagged.map(|number| Ok(format!("tag-{number}")))).boxed();
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
#[ignore = "the others run it, in processes of their own"]
async fn a_collection_tells_how_much_memory_it_takes() {
    let shape = Shape::of_text(&env::var(VARIABLE).unwrap_or_else(|_| SPREAD.over(16).to_text()));
    let folder = tempfile::tempdir().unwrap();
    let old = SystemTime::now() - Duration::from_hours(48);
    let own = Filesystem::new(folder.path());
    let store = Vast { shape, own, old, deleted: AtomicU64::default() };
    let registry = Registry::new(std::sync::Arc::new(store), Rules::default());
    let options = Options {
        quarantine: Duration::ZERO,
        finish: true,
        delete_untagged: shape.with_untagged,
        ..Options::default()
    };
    let run = registry.garbage_collection().run_to_end(options).await.unwrap();
    assert_eq!(run.state, RunState::Succeeded, "{:?}", run.error);
    let garbage = shape.needed() + shape.untagged() * (1 + shape.layers);
    assert_eq!((run.quarantined, run.blobs_deleted), (garbage, garbage));
    assert_eq!(run.manifests_deleted, shape.untagged());
    println!("\n{RESULT}{}", peak());
}

/// The memory that a process takes at the most that collects so much.
fn peak_of(shape: Shape) -> u64 {
    let test = "collection_memory::a_collection_tells_how_much_memory_it_takes";
    let mut process = Command::new(env::current_exe().unwrap());
    process.args(["--exact", test, "--ignored", "--nocapture"]).env(VARIABLE, shape.to_text());
    let output = process.output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    let result = printed.lines().find_map(|line| line.strip_prefix(RESULT));
    result.unwrap_or_else(|| panic!("{printed}")).parse().unwrap()
}

#[test]
#[ignore = "takes minutes for a million blobs"]
fn a_million_blobs_are_collected_in_less_than_two_hundred_megabytes() {
    for shape in [SPREAD, AT_ONE_PLACE] {
        let peak = peak_of(shape);
        println!("{peak} kB for {shape:?}");
        assert!(peak < LIMIT_KB, "{peak} kB for {shape:?}");
    }
}

/// Follows what a million takes from what less takes, and tells both.
fn extrapolate(shape: Shape) -> String {
    let [few, many] = SHARES.map(|share| shape.over(share));
    let (less, more) = (peak_of(few), peak_of(many));
    let a_blob = more.saturating_sub(less) * 1000 / (many.needed() - few.needed());
    let million = more + a_blob * (shape.needed() - many.needed()) / 1000;
    let told = format!("{less} kB and {more} kB, thus {million} kB for {shape:?}");
    assert!(million < LIMIT_KB, "{told}");
    told
}

#[test]
fn memory_grows_so_little_with_blobs_that_a_million_take_less_than_two_hundred_megabytes() {
    println!("{}", extrapolate(SPREAD));
}

#[test]
fn memory_grows_as_little_in_a_single_repository_of_which_half_is_deleted() {
    println!("{}", extrapolate(AT_ONE_PLACE));
}
