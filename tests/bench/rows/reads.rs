//! What is only read: manifests, blobs, and whole images, to anybody, to users, and over TLS.

use super::load::{Case, any, measure as measure_all};
use super::{generator, memory};
use crate::content::{Blob, Library, MANIFEST, REPOSITORY, Sizes, base, human};
use crate::load::Operation;
use crate::measurement::{Definition, Unit};
use crate::server::{ALL, REGISTRIES, Running, Server, Setup, Target};
use crate::site::Site;
use anyhow::Result;
use std::path::Path;

/// The name of our server without users, in the rows of those with users.
const ANONYMOUS: &str = "berth, anonymous";

/// Measures them all over one storage.
pub(super) fn measure(site: &mut Site) -> Result<()> {
    let (data, sizes) = (site.empty()?, site.sizes.clone());
    let library = Library::write(data.path(), &sizes)?;
    to_anybody(site, data.path(), &library, &sizes)?;
    to_users(site, data.path(), &library, &sizes)?;
    over_tls(site, data.path(), &library, &sizes)?;
    memory::of_pulls(site, data.path(), &library)
}

fn to_anybody(site: &mut Site, data: &Path, library: &Library, sizes: &Sizes) -> Result<()> {
    let nginx = Server::Nginx.name();
    let mut cases = vec![requests("GET", "GET /v2/", sizes.connections[1], nginx, &[], base())];
    cases.extend(manifests(library, sizes, "", nginx, &[]));
    cases.extend(blobs(library, sizes, ""));
    cases.extend(parts(library, sizes));
    cases.extend(sizes.pulls.iter().map(|clients| pull(library, *clients, "", nginx)));
    if any(site, &cases) || generator::is_wanted(site) {
        let servers = site.start(&ALL, &site.open(data))?;
        generator::measure(site, library, &servers)?;
        measure_all(site, &cases, &servers)?;
    }
    Ok(())
}

/// Held against our server without users.
fn to_users(site: &mut Site, data: &Path, library: &Library, sizes: &Sizes) -> Result<()> {
    let authorization = [site.authorization.clone()];
    let cases = manifests(library, sizes, ", htpasswd", ANONYMOUS, &authorization);
    if any(site, &cases) {
        let anonymous = site.start(&[Server::Berth], &site.open(data))?;
        let mut servers: Vec<_> = anonymous.into_iter().map(|berth| berth.named(ANONYMOUS)).collect();
        servers.extend(site.start(&REGISTRIES, &Setup { has_users: true, ..site.open(data) })?);
        measure_all(site, &cases, &servers)?;
    }
    Ok(())
}

fn over_tls(site: &mut Site, data: &Path, library: &Library, sizes: &Sizes) -> Result<()> {
    let mut cases = manifests(library, sizes, ", TLS", Server::Nginx.name(), &[]);
    cases.extend(blobs(library, sizes, ", TLS"));
    if any(site, &cases) {
        let certificate = Some(&site.certificate);
        let servers = site.start(&ALL, &Setup { certificate, ..site.open(data) })?;
        measure_all(site, &cases, &servers)?;
    }
    Ok(())
}

/// By tag and by digest, whole and the head alone, with one connection and with many.
fn manifests<'a>(
    library: &Library,
    sizes: &Sizes,
    how: &str,
    reference: &str,
    headers: &[String],
) -> Vec<Case<'a>> {
    let headers: Vec<_> = headers.iter().cloned().chain([format!("Accept: {MANIFEST}")]).collect();
    let mut cases = Vec::new();
    for (way, target) in [("tag", library.by_tag()), ("digest", library.by_digest())] {
        for method in ["GET", "HEAD"] {
            let operation = format!("manifest {method} by {way}{how}");
            let case =
                |connections| requests(method, &operation, connections, reference, &headers, target.clone());
            cases.extend(sizes.connections.map(case));
        }
    }
    cases
}

/// A row that repeats one request.
pub(super) fn requests<'a>(
    method: &'a str,
    operation: &str,
    connections: usize,
    reference: &str,
    headers: &[String],
    target: Target,
) -> Case<'a> {
    let definition = Definition::new(
        format!("{operation}, {}", counted(connections, "connection")),
        Unit::Requests,
        reference,
    );
    let headers = headers.to_vec();
    Case::new(definition, connections, move |server| vec![vec![server.request(method, &target, &headers)]])
}

/// A number with its noun.
pub(super) fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn blobs<'a>(library: &'a Library, sizes: &Sizes, how: &'a str) -> Vec<Case<'a>> {
    let few = [1, sizes.connections[1].min(8)];
    let each = library.blobs.iter().flat_map(|blob| few.map(|connections| (blob, connections)));
    let name = |blob: &Blob| format!("blob GET {}{how}", human(blob.size));
    each.map(|(blob, connections)| bodies(&name(blob), blob, connections, Server::Nginx.name())).collect()
}

/// A row that counts the bytes of a blob.
pub(super) fn bodies<'a>(operation: &str, blob: &'a Blob, connections: usize, reference: &str) -> Case<'a> {
    let operation = format!("{operation}, {}", counted(connections, "connection"));
    let definition = Definition::new(operation, Unit::Throughput, reference);
    Case::new(definition, connections, |server| {
        vec![vec![server.request("GET", &blob.target(REPOSITORY), &[])]]
    })
}

fn parts<'a>(library: &'a Library, sizes: &'a Sizes) -> Vec<Case<'a>> {
    let (nginx, some) = (Server::Nginx.name(), sizes.connections[1].min(8));
    let head =
        requests("HEAD", "blob HEAD", sizes.connections[1], nginx, &[], library.blobs[0].target(REPOSITORY));
    let operation = format!("blob range of {}, {}", human(sizes.range), counted(some, "connection"));
    let range = Case::new(Definition::new(operation, Unit::Requests, nginx), some, |server| {
        ranges(library, sizes, server)
    });
    vec![head, range]
}

/// Ranges all over the second blob.
fn ranges(library: &Library, sizes: &Sizes, server: &Running) -> Vec<Operation> {
    let blob = &library.blobs[1];
    let starts = (0..blob.size / sizes.range).map(|number| number * sizes.range);
    let range = |start| {
        let header = format!("Range: bytes={start}-{}", start + sizes.range - 1);
        vec![server.request("GET", &blob.target(REPOSITORY), &[header]).expecting(206)]
    };
    starts.map(range).collect()
}

/// The row of whole images.
pub(super) fn pull<'a>(library: &'a Library, clients: usize, where_from: &str, reference: &str) -> Case<'a> {
    let operation = format!("{where_from}pull of images, {}", counted(clients, "client"));
    let headers = vec![format!("Accept: {MANIFEST}")];
    let definition = Definition::new(operation, Unit::Images, reference);
    Case::new(definition, clients, move |server| library.pulls(server, &headers))
}
