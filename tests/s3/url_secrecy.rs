//! The URL of a redirect is a secret: the client learns it, and neither log nor traces nor metrics tell it.

use crate::SERVER;
use crate::site::{Site, layer};
use anyhow::Result;
use berth_tests::command::succeed;
use berth_tests::registry_process::{free_port, program};
use berth_tests::s3_server::S3Server;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

/// Starts a collector of traces, and returns its address and what it is sent, as text.
fn collector() -> io::Result<(String, Receiver<String>)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = format!("http://{}", listener.local_addr()?);
    let (sender, batches) = channel();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // It ends with the connection; the next one may bring more.
            let _ended = take_batches(stream, &sender);
        }
    });
    Ok((address, batches))
}

fn take_batches(stream: TcpStream, sender: &Sender<String>) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    while let Some(length) = next_length(&mut reader)? {
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        sender.send(String::from_utf8_lossy(&body).into_owned()).map_err(io::Error::other)?;
        reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")?;
    }
    Ok(())
}

/// The length of the body behind the next head of a request, if there is one.
fn next_length(reader: &mut BufReader<TcpStream>) -> io::Result<Option<usize>> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Ok(None);
        }
    }
    let mut lines = head.lines().map(str::to_ascii_lowercase);
    let length = lines.find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    Ok(length)
}

#[test]
fn neither_the_log_nor_a_span_nor_a_metric_tells_a_url() -> Result<()> {
    let section = S3Server::section(&SERVER.url(), "secrecy");
    let site = Site::configured(&format!("s3: {section}\n  redirect: {{disable: false}}"), "")?;
    let (collector, batches) = collector()?;
    let debug = format!("127.0.0.1:{}", free_port()?);
    let server = site.serve_with(
        program()?,
        &[
            ("REGISTRY_LOG_LEVEL", "trace"),
            ("REGISTRY_HTTP_DEBUG_ADDR", &debug),
            ("REGISTRY_HTTP_DEBUG_PROMETHEUS_ENABLED", "true"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector),
        ],
    )?;
    let layer = layer(b's', 5_000);
    site.push_blob("app", &layer)?;
    let answer = site.ask(&[], &Site::blob("app", &layer))?.expect(307)?;
    assert!(answer.header("location").is_some_and(|location| location.contains("X-Amz-Signature=")));
    let metrics =
        succeed(Command::new("curl").args(["--silent", "--fail", &format!("http://{debug}/metrics")]))?;
    let log = site.folder.path().join("log");
    server.stop()?;
    let log = std::fs::read_to_string(log)?;
    let spans: String = batches.try_iter().collect();

    assert!(metrics.contains("code=\"307\""), "{metrics}");
    assert!(log.contains("status=307"), "{log}");
    assert!(spans.contains("GET /v2/{name}/blobs/{digest}"), "{spans}");
    for (what, told) in [("metrics", metrics), ("log", log), ("spans", spans)] {
        let line =
            told.lines().find(|line| line.contains("X-Amz-Signature") || line.contains("X-Amz-Credential"));
        assert_eq!(line, None, "in the {what}");
    }
    Ok(())
}
