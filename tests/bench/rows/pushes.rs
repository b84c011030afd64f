//! Pushes: of one large layer, and of many images by many clients. Each is one to a registry that has nothing and has done nothing.

use super::limits;
use super::load::sample;
use super::upload::{Layer, Way, push_image};
use crate::content::{Image, human};
use crate::load::{Histogram, Tally};
use crate::measurement::{Cost, Definition, Sample, Unit};
use crate::server::{REGISTRIES, Running, Server};
use crate::site::Site;
use anyhow::{Context as _, Result};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How many clients push images.
const CLIENTS: usize = 16;
const REPOSITORY: &str = "bench/pushed";
const LIMIT: &str = "limit";

/// Measures both.
pub(super) fn measure(site: &mut Site) -> Result<()> {
    for way in [Way::Docker, Way::Single] {
        one_layer(site, way)?;
    }
    many_images(site)
}

/// The registries that take a layer sent so. Debian's and the third version begin an upload when they are sent everything at once,
/// and throw the content away.
pub(super) fn takers(way: Way) -> &'static [Server] {
    if way == Way::Docker { &REGISTRIES } else { &[Server::Berth] }
}

fn one_layer(site: &mut Site, way: Way) -> Result<()> {
    let length = human(site.sizes.blobs[2]);
    let how = if way == Way::Docker { "" } else { " in one request" };
    let speed = Definition::new(format!("push of {length}{how}"), Unit::Throughput, LIMIT);
    let memory =
        Definition::new(format!("peak memory, push of {length}"), Unit::Memory, Server::Original.name());
    if !site.wants(&speed) && !site.wants(&memory) {
        return Ok(());
    }
    for _ in 0..site.options.rounds {
        let layer = Layer::random(site.sizes.blobs[2])?;
        limit(site, &speed, &layer)?;
        for server in site.wanted(takers(way)) {
            let measured = site.empty().and_then(|data| {
                let running = Running::start(server, &site.open(data.path()))?;
                site.settle();
                push_layer(&running, &layer, way)
            });
            let peak = measured.as_ref().ok().and_then(|sample| sample.peak);
            site.note(&speed, server.name(), measured)?;
            if let (Some(value), Way::Docker) = (peak, way) {
                site.note(&memory, server.name(), Ok(Sample { value, ..Sample::default() }))?;
            }
        }
    }
    Ok(())
}

/// The lower of what hashing and writing allow, and both.
fn limit(site: &mut Site, definition: &Definition, layer: &Layer) -> Result<()> {
    site.settle();
    let (hash, write) = (limits::hash(layer), limits::write(layer, site.folder())?);
    let speed = |time: Duration| throughput(layer, time, None);
    site.note(definition, "sha256 of one core", Ok(speed(hash)))?;
    site.note(definition, "write with fsync", Ok(speed(write)))?;
    site.note(definition, LIMIT, Ok(speed(hash.max(write))))
}

/// Pushes a layer once.
pub(super) fn push_layer(running: &Running, layer: &Layer, way: Way) -> Result<Sample> {
    let before = Cost::of(&running.pids()?)?;
    let time = layer.push(&mut running.client()?, REPOSITORY, way)?;
    let after = Cost::of(&running.pids()?)?;
    Ok(throughput(layer, time, Some(Cost { cpu: after.cpu.saturating_sub(before.cpu), peak: after.peak })))
}

/// A sample of one push.
pub(super) fn throughput(layer: &Layer, time: Duration, cost: Option<Cost>) -> Sample {
    let tally = Tally { operations: 1, bytes: layer.size(), time, latencies: Histogram::default() };
    sample(Unit::Throughput, &tally, cost)
}

fn many_images(site: &mut Site) -> Result<()> {
    let (count, layer) = (site.sizes.images, site.sizes.layer);
    let operation = format!("push of {count} images of 5 x {}, {CLIENTS} connections", human(layer as u64));
    let definition = Definition::new(operation, Unit::Images, Server::Distribution.name());
    if !site.wants(&definition) {
        return Ok(());
    }
    let images: Vec<_> = (0..count).map(|_| Image::random(&[layer; 5])).collect();
    for _ in 0..site.options.rounds {
        for server in site.wanted(&REGISTRIES) {
            let measured = site.empty().and_then(|data| {
                let running = Running::start(server, &site.open(data.path()))?;
                site.settle();
                push_images(&running, &images)
            });
            site.note(&definition, server.name(), measured)?;
        }
    }
    Ok(())
}

/// Pushes images, each client the next one.
pub(super) fn push_images(server: &Running, images: &[Image]) -> Result<Sample> {
    let (before, start, next) = (Cost::of(&server.pids()?)?, Instant::now(), AtomicUsize::new(0));
    let latencies = thread::scope(|scope| {
        let clients: Vec<_> =
            (0..CLIENTS).map(|_| scope.spawn(|| push_some(server, images, &next))).collect();
        let mut all = Histogram::default();
        for client in clients {
            all.merge(&client.join().ok().context("a client has panicked")??);
        }
        anyhow::Ok(all)
    })?;
    let time = start.elapsed();
    let after = Cost::of(&server.pids()?)?;
    let cost = Cost { cpu: after.cpu.saturating_sub(before.cpu), peak: after.peak };
    let bytes = images.iter().flat_map(Image::blobs).map(|blob| blob.size).sum();
    let tally = Tally { operations: images.len() as u64, bytes, time, latencies };
    Ok(sample(Unit::Images, &tally, Some(cost)))
}

fn push_some(server: &Running, images: &[Image], next: &AtomicUsize) -> Result<Histogram> {
    let (mut latencies, mut client) = (Histogram::default(), server.client()?);
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let Some(image) = images.get(number) else { return Ok(latencies) };
        let start = Instant::now();
        push_image(&mut client, REPOSITORY, &format!("image-{number}"), image, Way::Docker)?;
        latencies.add(start.elapsed());
    }
}
