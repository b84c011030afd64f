//! What is only read: manifests, blobs, and whole images, to anybody, to users, and over TLS.

use super::load::{Case, any, measure as measure_all};
use super::{blobs, generator, memory};
use crate::content::{Library, MANIFEST, Sizes, base};
use crate::measurement::{Definition, Unit};
use crate::server::{ALL, REGISTRIES, Server, Setup, Target};
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
    cases.extend(blobs::whole(library, sizes, ""));
    cases.extend([blobs::head(library, sizes), blobs::ranges(library, sizes)]);
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
    cases.extend(blobs::whole(library, sizes, ", TLS"));
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
    Case::new(definition, connections, move |server| {
        Ok(vec![vec![server.request(method, &target, &headers)]])
    })
}

/// A number with its noun.
pub(super) fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// The row of whole images.
pub(super) fn pull<'a>(library: &'a Library, clients: usize, where_from: &str, reference: &str) -> Case<'a> {
    let operation = format!("{where_from}pull of images, {}", counted(clients, "client"));
    let headers = vec![format!("Accept: {MANIFEST}")];
    let definition = Definition::new(operation, Unit::Images, reference);
    Case::new(definition, clients, move |server| Ok(library.pulls(server, &headers)))
}
