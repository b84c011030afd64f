//! Notifications of pushes that were acknowledged before the end of the server's process.

use anyhow::{Context, Result, ensure};
use berth_tests::cluster::wait;
use berth_tests::command::succeed;
use berth_tests::registry_server::{PASSWORD, RegistryServer, USER};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

const ROUNDS: usize = 3;
const PUSHES_A_ROUND: usize = 5;

#[test]
fn every_acknowledged_push_is_told_although_the_process_was_killed() -> Result<()> {
    // Nobody listens there yet, so that no event can leave before the process ends.
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    let server = RegistryServer::start_with(&format!(
        "notifications:\n  endpoints:\n    - name: mail\n      url: http://127.0.0.1:{port}/events\n      \
         timeout: 5s\n      threshold: 3\n      backoff: 100ms\n"
    ))?;
    let mut acknowledged = Vec::new();
    for round in 0..ROUNDS {
        for number in 0..PUSHES_A_ROUND {
            acknowledged.push(push(&server, format!("blob {number} of round {round}").as_bytes())?);
        }
        server.kill()?;
        server.resume()?;
    }
    let told = listen(port)?;
    wait::until("all notifications to arrive", Duration::from_mins(1), || {
        let told = told.lock().map(|told| told.len()).unwrap_or_default();
        ensure!(
            told >= acknowledged.len(),
            "{told} of {}; the log says:\n{}",
            acknowledged.len(),
            server.log()
        );
        Ok(())
    })?;
    let told = told.lock().map(|told| told.clone()).unwrap_or_default();
    ensure!(told == acknowledged, "in the order of the pushes: {told:?}");
    Ok(())
}

/// Pushes a blob and returns its digest when that is acknowledged.
fn push(server: &RegistryServer, blob: &[u8]) -> Result<String> {
    let digest =
        Sha256::digest(blob).iter().fold(String::from("sha256:"), |text, byte| text + &format!("{byte:02x}"));
    let url = server.url(&format!("/v2/app/blobs/uploads/?digest={digest}"));
    let mut curl = server.curl();
    curl.args([
        "--fail",
        "--user",
        &format!("{USER}:{PASSWORD}"),
        "--data-binary",
        std::str::from_utf8(blob)?,
        &url,
    ]);
    succeed(&mut curl)?;
    Ok(digest)
}

/// Takes notifications at the port for as long as the process lives, and notes the digests that they tell.
fn listen(port: u16) -> Result<Arc<Mutex<Vec<String>>>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    let told = Arc::<Mutex<Vec<String>>>::default();
    let digests = Arc::clone(&told);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let digests = Arc::clone(&digests);
            // A connection that breaks off leaves its events in the queue.
            thread::spawn(move || take(stream, &digests).ok());
        }
    });
    Ok(told)
}

/// Answers the requests of one connection.
fn take(stream: TcpStream, digests: &Mutex<Vec<String>>) -> Result<()> {
    let mut requests = BufReader::new(stream.try_clone()?);
    let mut answers = stream;
    while let Some(length) = body_length(&mut requests)? {
        let mut body = vec![0; length];
        requests.read_exact(&mut body)?;
        let envelope: Value = serde_json::from_slice(&body)?;
        let events = envelope["events"].as_array().context("events")?;
        let new = events.iter().filter_map(|event| event["target"]["digest"].as_str().map(str::to_owned));
        if let Ok(mut digests) = digests.lock() {
            digests.extend(new);
        }
        answers.write_all(b"HTTP/1.1 204 No Content\r\n\r\n")?;
    }
    Ok(())
}

/// Reads the head of a request; `None` at the end of the connection.
fn body_length(requests: &mut impl BufRead) -> Result<Option<usize>> {
    let mut length = None;
    loop {
        let mut line = String::new();
        if requests.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        if line.trim().is_empty() {
            return length.context("a length").map(Some);
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = Some(value.trim().parse()?);
        }
    }
}
