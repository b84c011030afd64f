//! A mirror of much more than it may keep, which clients pull through at random, while somebody pushes and mounts some of the
//! same layers into repositories of their own.

use crate::fixture::{IMAGE, Server, digest, manifest, mirror_of};
use anyhow::{Context, Result, bail, ensure};
use berth_tests::cluster::wait;
use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

const ACCEPT: &str = "Accept: application/vnd.oci.image.manifest.v1+json";

/// How many images there are, of a layer of a mebibyte each and one that all of them share.
const IMAGES: usize = 16;
const LAYER: usize = 1 << 20;

/// What the mirror may keep.
const LIMIT: u64 = 6 << 20;

const CLIENTS: u64 = 4;
const PULLS: usize = 30;

/// An image at the upstream.
struct Image {
    manifest: String,
    layer: Vec<u8>,
    signature: String,
}

/// An upstream with its images, each with a signature.
struct Site {
    upstream: Server,
    base: Vec<u8>,
    images: Vec<Image>,
}

fn content(seed: u64, length: usize) -> Vec<u8> {
    let mut content = vec![0; length];
    fastrand::Rng::with_seed(seed).fill(&mut content);
    content
}

impl Site {
    fn new() -> Result<Self> {
        let upstream = Server::start("")?;
        // What all images have as their configuration is as good as a layer.
        let base = content(1000, LAYER / 2);
        let base_digest = upstream.push_blob("app", &base)?;
        let mut images = Vec::new();
        for number in 0..IMAGES {
            let layer = content(number as u64, LAYER);
            let layer_digest = upstream.push_blob("app", &layer)?;
            let text = manifest(&base_digest, base.len(), &layer_digest, layer.len());
            let image = upstream.push_manifest("app", &number.to_string(), &text)?;
            let about = format!(
                r#"{{"schemaVersion":2,"mediaType":"{IMAGE}","artifactType":"application/vnd.example.signature","config":{{"mediaType":"application/vnd.oci.empty.v1+json","digest":"{base_digest}","size":{}}},"layers":[],"subject":{{"mediaType":"{IMAGE}","digest":"{image}","size":{}}}}}"#,
                base.len(),
                text.len()
            );
            let signature = upstream.push_manifest("app", &format!("{number}.sig"), &about)?;
            images.push(Image { manifest: text, layer, signature });
        }
        Ok(Self { upstream, base, images })
    }

    /// Pulls an image as clients do, and holds every byte against what it should be.
    fn pull(&self, from: &Server, name: &str, number: usize) -> Result<()> {
        let image = &self.images[number];
        let path = format!("/v2/{name}/manifests/{number}");
        let pulled = from.ask(&["--header", ACCEPT], &path)?.expect(200)?;
        ensure!(pulled.body == image.manifest.as_bytes(), "another manifest came for {number}");
        for blob in [&self.base, &image.layer] {
            let path = format!("/v2/{name}/blobs/{}", digest(blob));
            ensure!(from.ask(&[], &path)?.expect(200)?.body == *blob, "other bytes came for {path}");
        }
        Ok(())
    }

    /// Gives a repository of our own an image whose layer is mounted from the mirror if that has it now, or pushed.
    fn make_own(&self, server: &Server, number: usize, mounts: bool) -> Result<()> {
        let image = &self.images[number];
        for blob in [&self.base, &image.layer] {
            let mount = format!("/v2/own/app/blobs/uploads/?mount={}&from=hub/app", digest(blob));
            let is_mounted = mounts
                && match server.ask(&["--request", "POST"], &mount)? {
                    answer if answer.status == 201 => true,
                    answer if answer.status == 202 => false,
                    answer => bail!("a mount was answered with {}: {}", answer.status, answer.text()),
                };
            if !is_mounted {
                server.push_blob("own/app", blob)?;
            }
        }
        server.push_manifest("own/app", &number.to_string(), &image.manifest)?;
        Ok(())
    }
}

#[test]
fn eviction_under_load_loses_nothing_that_is_linked() -> Result<()> {
    let mut site = Site::new()?;
    let mut mirror =
        Server::start(&mirror_of(&site.upstream.url(""), &format!(", limit: {}MiB", LIMIT >> 20)))?;
    let own: Vec<usize> = (0..IMAGES).step_by(2).collect();
    thread::scope(|scope| {
        let (site, mirror, own) = (&site, &mirror, &own);
        let pull = |client| {
            scope.spawn(move || {
                let mut random = fastrand::Rng::with_seed(client);
                (0..PULLS).try_for_each(|_| site.pull(mirror, "hub/app", random.usize(..IMAGES)))
            })
        };
        let mut clients: Vec<_> = (0..CLIENTS).map(pull).collect();
        clients.push(scope.spawn(move || {
            let make = |(at, number): (usize, &usize)| site.make_own(mirror, *number, at % 2 == 0);
            own.iter().enumerate().try_for_each(make)
        }));
        clients.into_iter().try_for_each(|client| client.join().ok().context("a client panicked")?)
    })?;
    let wait_for = |evictions: usize| {
        wait::until("the mirror to keep within its limit", Duration::from_mins(3), || {
            let held = held(&mirror.path("data"), "hub/app")?;
            ensure!(held <= LIMIT, "it has {held} bytes");
            let seen = mirror.log().matches("has parted with").count();
            ensure!(seen >= evictions, "it has parted with something {seen} times:\n{}", mirror.log());
            Ok(())
        })
    };
    wait_for(1)?;
    // However fast the clients were: who pulls everything once more brings it above its limit again.
    (0..IMAGES).try_for_each(|number| site.pull(&mirror, "hub/app", number))?;
    wait_for(2)?;

    // Signatures come back with their images, whatever has gone.
    for image in &site.images {
        let path = format!("/v2/hub/app/referrers/{}", digest(image.manifest.as_bytes()));
        let listed = mirror.ask(&[], &path)?.expect(200)?.json()?;
        ensure!(listed["manifests"][0]["digest"] == serde_json::json!(image.signature), "{listed}");
    }

    // What is our own needs neither the mirror nor its upstream, also when all garbage has gone.
    site.upstream.stop()?;
    mirror.stop()?;
    mirror.collect_all_garbage()?;
    mirror.resume()?;
    own.iter().try_for_each(|number| site.pull(&mirror, "own/app", *number))
}

/// How many bytes the repository has links to.
fn held(data: &Path, name: &str) -> Result<u64> {
    let registry = data.join("docker/registry/v2");
    let repository = registry.join("repositories").join(name);
    let mut sizes = HashMap::new();
    for links in ["_layers/sha256", "_manifests/revisions/sha256"] {
        for link in fs::read_dir(repository.join(links))? {
            let hex = link?.file_name().to_string_lossy().into_owned();
            let is_linked = repository.join(links).join(&hex).join("link").exists();
            let content = registry.join("blobs/sha256").join(&hex[..2]).join(&hex).join("data");
            // What goes in this very moment is gone.
            if let (true, Ok(content)) = (is_linked, fs::metadata(content)) {
                sizes.insert(hex, content.len());
            }
        }
    }
    Ok(sizes.values().sum())
}
