//! The main rows with an S3 server behind the registries, held against that server itself.

use super::blobs::{bodies, some};
use super::bucket::{BLOBS, Bucket};
use super::load::{Case, any, measure as measure_all};
use super::pushes::{push_images, push_layer, takers, throughput};
use super::reads::{pull, requests};
use super::upload::{Layer, Way};
use crate::content::{Image, Library, MANIFEST, Sizes, human};
use crate::measurement::{Definition, Unit};
use crate::server::{BUCKET_ROOT, REGISTRIES, Running, Server};
use crate::site::Site;
use anyhow::Result;

/// Which part of the images of the other rows is pushed here.
const PART: usize = 4;

/// Measures them.
pub(super) fn measure(site: &mut Site) -> Result<()> {
    let sizes = Sizes { images: site.sizes.images / PART, ..site.sizes.clone() };
    let raw = Server::Bucket.name();
    let layer = Definition::new(format!("S3: push of {}", human(sizes.blobs[2])), Unit::Throughput, raw);
    let whole = format!("S3: push of {} in one request", human(sizes.blobs[2]));
    let whole = Definition::new(whole, Unit::Throughput, raw);
    let operation =
        format!("S3: push of {} images of 5 x {}, 16 connections", sizes.images, human(sizes.layer as u64));
    let images = Definition::new(operation, Unit::Images, Server::Distribution.name());
    let data = site.empty()?;
    let library = Library::write(data.path(), &sizes)?;
    let cases = reads(&library, &sizes, raw);
    if any(site, &cases) {
        let bucket = Bucket::start(site)?;
        bucket.fill(site, &library, data.path())?;
        let mut servers: Vec<_> = site.wanted(&[Server::Bucket]).iter().map(|_| bucket.direct()).collect();
        servers.extend(site.start(&REGISTRIES, &bucket.setup(site, BUCKET_ROOT))?);
        measure_all(site, &cases, &servers)?;
    }
    push_layers(site, &layer, Way::Docker)?;
    push_layers(site, &whole, Way::Single)?;
    push_many(site, &images, &sizes)
}

fn reads<'a>(library: &'a Library, sizes: &Sizes, raw: &str) -> Vec<Case<'a>> {
    let many = sizes.connections[1];
    let accept = [format!("Accept: {MANIFEST}")];
    let manifest = |how: &str, target| {
        requests("GET", &format!("S3: manifest GET by {how}"), many, raw, &accept, target)
    };
    let mut cases = vec![manifest("tag", library.by_tag()), manifest("digest", library.by_digest())];
    for number in 0..BLOBS {
        let operation = format!("S3: blob GET {}", human(library.size(number)));
        cases.push(bodies(&operation, library, number, some(sizes), raw));
    }
    cases.push(pull(library, sizes.pulls[0], "S3: ", raw));
    cases
}

/// Whoever names the digest only at the end lets the bucket copy all bytes once more. Each round has a bucket of its own, which is held
/// in memory, and would not have room for what all rounds push.
fn push_layers(site: &mut Site, definition: &Definition, way: Way) -> Result<()> {
    if !site.wants(definition) {
        return Ok(());
    }
    for round in 0..site.options.rounds {
        let (bucket, layer) = (Bucket::start(site)?, Layer::random(site.sizes.blobs[2])?);
        let raw = bucket.upload(&layer).map(|time| throughput(&layer, time, None));
        site.note(definition, Server::Bucket.name(), raw)?;
        for server in site.wanted(takers(way)) {
            let setup = bucket.setup(site, &format!("{}-layer-{way:?}-{round}", server.name()));
            let running = Running::start(server, &setup);
            site.settle();
            let measured = running.and_then(|running| push_layer(&running, &layer, way));
            site.note(definition, server.name(), measured)?;
        }
    }
    Ok(())
}

fn push_many(site: &mut Site, definition: &Definition, sizes: &Sizes) -> Result<()> {
    if !site.wants(definition) {
        return Ok(());
    }
    let images: Vec<_> = (0..sizes.images).map(|_| Image::random(&[sizes.layer; 5])).collect();
    let bucket = Bucket::start(site)?;
    for round in 0..site.options.rounds {
        for server in site.wanted(&REGISTRIES) {
            let setup = bucket.setup(site, &format!("{}-images-{round}", server.name()));
            let running = Running::start(server, &setup);
            site.settle();
            let measured = running.and_then(|running| push_images(&running, &images));
            site.note(definition, server.name(), measured)?;
        }
    }
    Ok(())
}
