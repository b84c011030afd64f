//! A hundred clients that want the same large layer at once, of which the mirror has nothing.

use crate::fixture::{Server, mirror_of, noise};
use anyhow::{Context, Result, ensure};
use berth_tests::storage::Storage;
use sha2::{Digest, Sha256};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;

/// What a mirror may take, in bytes.
const MEMORY: u64 = 64 << 20;

#[test]
fn a_hundred_cold_pulls_of_a_large_layer_are_one_request_and_little_memory() -> Result<()> {
    let (upstream, digest) = upstream(256 << 20)?;
    let mirror = Server::start(&mirror_of(&upstream.url(""), ""))?;
    pull_all(&mirror, 100, &digest, 256 << 20)?;
    ensure!(upstream.requests("GET /v2/app/blobs/") == 1, "{}", upstream.log());
    let peak = mirror.peak_memory()?;
    ensure!(peak < MEMORY, "the mirror took {} MiB", peak >> 20);
    Ok(())
}

#[test]
fn over_a_bucket_a_crowd_is_one_request_as_well_and_other_servers_find_what_came() -> Result<()> {
    let (upstream, digest) = upstream(32 << 20)?;
    let storage = Storage::s3()?;
    let mirror = Server::start_in(&storage, &mirror_of(&upstream.url(""), ""))?;
    pull_all(&mirror, 20, &digest, 32 << 20)?;
    let replica = Server::start_in(&storage, &mirror_of(&upstream.url(""), ""))?;
    pull_all(&replica, 2, &digest, 32 << 20)?;
    ensure!(upstream.requests("GET /v2/app/blobs/") == 1, "{}", upstream.log());
    Ok(())
}

/// An upstream with a layer of this length, and its digest.
fn upstream(length: usize) -> Result<(Server, String)> {
    let upstream = Server::start("")?;
    let digest = upstream.push_blob("app", &noise(length))?;
    Ok((upstream, digest))
}

/// Pulls the layer as often at once.
fn pull_all(mirror: &Server, clients: usize, digest: &str, length: usize) -> Result<()> {
    let pull = |client| {
        let (port, digest) = (mirror.port(), digest.to_owned());
        thread::spawn(move || pull(port, &digest, client == 0, length))
    };
    let clients: Vec<_> = (0..clients).map(pull).collect();
    for client in clients {
        client.join().ok().context("a client panicked")??;
    }
    Ok(())
}

/// Reads a body to its end; one client of all looks at what it reads.
fn pull(port: u16, digest: &str, verifies: bool, size: usize) -> Result<()> {
    let path = format!("/v2/hub/app/blobs/{digest}");
    let mut connection = TcpStream::connect(("127.0.0.1", port))?;
    write!(connection, "GET {path} HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n")?;
    let (mut buffer, mut head) = (vec![0; 256 << 10], Vec::new());
    let mut hash = Sha256::new();
    let end = loop {
        let read = connection.read(&mut buffer)?;
        ensure!(read > 0, "the head is cut off: {}", String::from_utf8_lossy(&head));
        head.extend_from_slice(&buffer[..read]);
        if let Some(end) = head.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let told = String::from_utf8_lossy(&head[..end]).into_owned();
    ensure!(told.starts_with("HTTP/1.1 200"), "{told}");
    let mut length = head.len() - end;
    hash.update(&head[end..]);
    loop {
        let read = connection.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        length += read;
        if verifies {
            hash.update(&buffer[..read]);
        }
    }
    ensure!(length == size, "{length} bytes came");
    let actual =
        hash.finalize().iter().fold("sha256:".to_owned(), |text, byte| text + &format!("{byte:02x}"));
    ensure!(!verifies || actual == digest, "other bytes came");
    Ok(())
}
