//! The manifests of many images in turn: more than a server can keep ready.

use super::load::{Case, measure as measure_all};
use super::reads::counted;
use crate::content::{Image, MANIFEST, Tree};
use crate::load::Operation;
use crate::measurement::{Definition, Unit};
use crate::server::{ALL, Running, Server, Target};
use crate::site::Site;
use anyhow::Result;

const REPOSITORY: &str = "bench/many";

/// Measures them over a storage of their own.
pub(super) fn measure(site: &mut Site) -> Result<()> {
    let (count, connections) = (site.sizes.images, site.sizes.connections[1]);
    let operation = format!("manifest GET of {count} images, {}", counted(connections, "connection"));
    let definition = Definition::new(operation, Unit::Requests, Server::Nginx.name());
    if !site.wants(&definition) {
        return Ok(());
    }
    let data = site.empty()?;
    let targets = write(&Tree::at(data.path()), count)?;
    let cases = [Case::new(definition, connections, |server| Ok(pulls(server, &targets)))];
    let servers = site.start(&ALL, &site.open(data.path()))?;
    measure_all(site, &cases, &servers)
}

/// Writes the images, and says where their manifests are.
fn write(tree: &Tree, count: usize) -> Result<Vec<Target>> {
    let target = |_| {
        let image = Image::random(&[1024]);
        tree.enter(REPOSITORY, &image)?;
        let manifest = image.manifest_blob();
        Ok(manifest.manifest_target(REPOSITORY, &manifest.digest))
    };
    (0..count).map(target).collect()
}

fn pulls(server: &Running, targets: &[Target]) -> Vec<Operation> {
    let headers = [format!("Accept: {MANIFEST}")];
    targets.iter().map(|target| vec![server.request("GET", target, &headers)]).collect()
}
