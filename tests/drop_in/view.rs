//! Everything that a client can see of a registry: what two registries with the same data have to agree on.

use crate::site::Running;
use anyhow::{Context, Result, ensure};
use berth_tests::http::Answer;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

const MANIFEST_TYPES: &str = "Accept: application/vnd.oci.image.index.v1+json, \
    application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.docker.distribution.manifest.v2+json, */*";

/// Headers that are part of what clients rely on.
const HEADERS: [&str; 7] = [
    "content-length",
    "content-type",
    "docker-content-digest",
    "docker-distribution-api-version",
    "etag",
    "link",
    "x-content-type-options",
];

/// The answers to all requests for what there is, by path.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct View(BTreeMap<String, String>);

impl View {
    /// Asks for the catalog, and for everything that it leads to.
    pub(crate) fn of(registry: &Running) -> Result<Self> {
        let mut view = Self::default();
        let catalog = view.ask(registry, "/v2/_catalog")?.json()?;
        for name in strings(&catalog["repositories"]) {
            let tags = view.ask(registry, &format!("/v2/{name}/tags/list"))?.json()?;
            for tag in strings(&tags["tags"]) {
                view.follow(registry, &name, &tag)?;
            }
        }
        Ok(view)
    }

    /// Asks for a manifest, and for everything that it refers to.
    pub(crate) fn follow(&mut self, registry: &Running, name: &str, reference: &str) -> Result<()> {
        let path = format!("/v2/{name}/manifests/{reference}");
        let manifest = self.ask(registry, &path)?.expect(200).with_context(|| path.clone())?.json()?;
        let blobs = manifest["layers"].as_array().into_iter().flatten().chain(manifest.get("config"));
        for digest in blobs.filter_map(|blob| blob["digest"].as_str()) {
            let path = format!("/v2/{name}/blobs/{digest}");
            let blob = self.ask(registry, &path)?.expect(200).with_context(|| path.clone())?;
            ensure!(is_digest_of(digest, &blob.body), "{path} has other content than its digest says");
        }
        for child in manifest["manifests"].as_array().into_iter().flatten() {
            self.follow(registry, name, child["digest"].as_str().context("a descriptor without a digest")?)?;
        }
        Ok(())
    }

    /// Asks for one path by GET and by HEAD, and keeps what is answered.
    pub(crate) fn ask(&mut self, registry: &Running, path: &str) -> Result<Answer> {
        let answer = registry.ask(&["--header", MANIFEST_TYPES], path)?;
        self.0.insert(path.to_owned(), shown(&answer));
        if path.contains("/manifests/") || path.contains("/blobs/") {
            let head = registry.ask(&["--header", MANIFEST_TYPES, "--head"], path)?;
            self.0.insert(format!("HEAD {path}"), shown(&head));
        }
        Ok(answer)
    }

    /// How many answers it holds.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// One paragraph for each path that the two answer differently.
    pub(crate) fn differences(&self, other: &Self) -> Vec<String> {
        let paths = self.0.keys().chain(other.0.keys().filter(|path| !self.0.contains_key(*path)));
        let differing = paths.filter(|path| self.0.get(*path) != other.0.get(*path));
        let answer = |view: &Self, path| view.0.get(path).map_or("not asked", String::as_str).to_owned();
        differing.map(|path| format!("{path}\n  {}\n  {}", answer(self, path), answer(other, path))).collect()
    }
}

/// The strings in a JSON list; an empty list is `null` where Go writes it.
fn strings(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Status, headers and body of an answer in one line.
fn shown(answer: &Answer) -> String {
    let headers = HEADERS.iter().filter_map(|name| Some(format!("{name}: {}", answer.header(name)?)));
    let headers = headers.collect::<Vec<_>>().join("; ");
    // Lists and errors are compared by what they say: Go ends them with a line break, and names their only charset.
    if let Some("application/json; charset=utf-8" | "application/json") = answer.header("content-type") {
        return format!("{} {}; body {}", answer.status, api_version(answer), said(answer));
    }
    format!("{} {headers}; body {}", answer.status, sha256(&answer.body))
}

fn api_version(answer: &Answer) -> &str {
    answer.header("docker-distribution-api-version").unwrap_or("no version")
}

/// The codes of an error, whose message each registry words for itself; any other document as it is, but with tags in
/// order, which those of the original are not.
fn said(answer: &Answer) -> String {
    let mut document = answer.json().unwrap_or_default();
    if let Some(errors) = document["errors"].as_array() {
        return errors.iter().map(|error| error["code"].to_string()).collect::<Vec<_>>().join(", ");
    }
    if let Some(tags) = document.get_mut("tags").and_then(Value::as_array_mut) {
        tags.sort_by_key(Value::to_string);
    }
    document.to_string()
}

fn is_digest_of(digest: &str, content: &[u8]) -> bool {
    match digest.split_once(':') {
        Some(("sha512", hash)) => hash == hex(&sha2::Sha512::digest(content)),
        _ => digest == sha256(content),
    }
}

/// The digest of some content.
pub(crate) fn sha256(content: &[u8]) -> String {
    format!("sha256:{}", hex(&Sha256::digest(content)))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
