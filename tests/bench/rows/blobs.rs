//! Blobs: whole ones, of which the bytes are counted, their heads alone, and ranges of them.

use super::load::Case;
use super::reads::counted;
use crate::content::{Library, REPOSITORY, Sizes, human};
use crate::load::Operation;
use crate::measurement::{Definition, Unit};
use crate::server::{Running, Server};
use anyhow::Result;

/// Every size, with one connection and with some.
pub(super) fn whole<'a>(library: &'a Library, sizes: &Sizes, how: &str) -> Vec<Case<'a>> {
    let mut cases = Vec::new();
    for number in 0..sizes.blobs.len() {
        let operation = format!("blob GET {}{how}", human(library.size(number)));
        let case = |connections| bodies(&operation, library, number, connections, Server::Nginx.name());
        cases.extend([1, some(sizes)].map(case));
    }
    cases
}

/// A row that counts the bytes of one blob.
pub(super) fn bodies<'a>(
    operation: &str,
    library: &'a Library,
    number: usize,
    connections: usize,
    reference: &str,
) -> Case<'a> {
    let operation = format!("{operation}, {}", counted(connections, "connection"));
    let definition = Definition::new(operation, Unit::Throughput, reference);
    Case::new(definition, connections, move |server| {
        Ok(vec![vec![server.request("GET", &library.blob(number)?.target(REPOSITORY), &[])]])
    })
}

/// The heads of the smallest blob.
pub(super) fn head<'a>(library: &'a Library, sizes: &Sizes) -> Case<'a> {
    let connections = sizes.connections[1];
    let operation = format!("blob HEAD, {}", counted(connections, "connection"));
    let definition = Definition::new(operation, Unit::Requests, Server::Nginx.name());
    Case::new(definition, connections, |server| {
        Ok(vec![vec![server.request("HEAD", &library.blob(0)?.target(REPOSITORY), &[])]])
    })
}

/// Ranges all over the second blob.
pub(super) fn ranges<'a>(library: &'a Library, sizes: &Sizes) -> Case<'a> {
    let (connections, length) = (some(sizes), sizes.range);
    let operation = format!("blob range of {}, {}", human(length), counted(connections, "connection"));
    let definition = Definition::new(operation, Unit::Requests, Server::Nginx.name());
    Case::new(definition, connections, move |server| all_ranges(library, length, server))
}

fn all_ranges(library: &Library, length: u64, server: &Running) -> Result<Vec<Operation>> {
    let blob = library.blob(1)?;
    let range = |number| {
        let start = number * length;
        let header = format!("Range: bytes={start}-{}", start + length - 1);
        vec![server.request("GET", &blob.target(REPOSITORY), &[header]).expecting(206)]
    };
    Ok((0..blob.size / length).map(range).collect())
}

/// As many connections as a client has that pulls several layers at once.
pub(super) fn some(sizes: &Sizes) -> usize {
    sizes.connections[1].min(8)
}
