//! Mounts of blobs of one repository in others, each of a blob that is not there yet.

use super::load::Case;
use crate::content::{Image, Tree};
use crate::load::Operation;
use crate::measurement::{Definition, Unit};
use crate::server::{REGISTRIES, Running, Server, Target};
use crate::site::Site;
use anyhow::Result;

const SOURCE: &str = "bench/app";
/// How many blobs a repository has.
const BLOBS: usize = 100;
/// How many of them are mounted before it begins again with those that are there.
const MOUNTS: usize = 100_000;
const CONNECTIONS: usize = 8;

/// Measures them in an empty storage each time.
pub(super) fn measure(site: &mut Site) -> Result<()> {
    let operation = format!("mount, {CONNECTIONS} connections");
    let definition = Definition::new(operation, Unit::Requests, Server::Distribution.name());
    if !site.wants(&definition) {
        return Ok(());
    }
    let image = Image::random(&[1024; BLOBS]);
    let case = Case::new(definition.clone(), CONNECTIONS, |server| Ok(mounts(&image, server)));
    for _ in 0..site.options.rounds {
        for server in site.wanted(&REGISTRIES) {
            let measured = site.empty().and_then(|data| {
                Tree::at(data.path()).enter(SOURCE, &image)?;
                let running = Running::start(server, &site.open(data.path()))?;
                site.settle();
                case.sample(&running, site.options.seconds)
            });
            site.note(&definition, server.name(), measured)?;
        }
    }
    Ok(())
}

fn mounts(image: &Image, server: &Running) -> Vec<Operation> {
    let mount = |number: usize| {
        let (repository, blob) = (number / BLOBS, &image.blobs()[1 + number % BLOBS]);
        let query = format!("mount={}&from={SOURCE}", blob.digest);
        let api = format!("/v2/bench/mounted-{repository}/blobs/uploads/?{query}");
        let target = Target { api, file: String::new() };
        vec![server.request("POST", &target, &["Content-Length: 0".to_owned()]).expecting(201)]
    };
    (0..MOUNTS).map(mount).collect()
}
