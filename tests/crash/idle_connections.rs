//! Ten thousand connections that nobody uses.

use anyhow::{Context, Result, ensure};
use berth_tests::registry_process::{RegistryProcess, free_port, program};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::Command;
use tempfile::TempDir;

const CONNECTIONS: usize = 10_000;

/// What each may take of the server's memory, in bytes; they are measured at less than half of it.
const EACH: usize = 48 << 10;

const PING: &[u8] = b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Asks on a connection, and leaves it open.
fn ping(stream: &mut TcpStream) -> Result<()> {
    stream.write_all(PING)?;
    let mut answer = [0; 4096];
    let length = stream.read(&mut answer)?;
    ensure!(answer[..length].starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer[..length]));
    Ok(())
}

/// The memory that a process has, in bytes.
fn memory(process: u32) -> Result<usize> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<usize>()? << 10)
}

#[test]
fn ten_thousand_idle_connections_cost_little_and_harm_nobody() -> Result<()> {
    let most = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most })?;
    let (folder, port) = (TempDir::new()?, free_port()?);
    let mut command = Command::new(program()?);
    command.arg("serve").arg("--root").arg(folder.path()).arg(format!("--addr=127.0.0.1:{port}")).env_clear();
    let server = RegistryProcess::start(&mut command, &folder.path().join("log"))?;
    let url = format!("http://127.0.0.1:{port}/readyz");
    server.wait_for(|| {
        let mut curl = Command::new("curl");
        curl.args(["--fail", &url]);
        curl
    })?;

    let before = memory(server.id())?;
    let mut connections = Vec::new();
    for number in 0..CONNECTIONS {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port));
        let mut stream = stream.with_context(|| format!("connection {number}; see `ulimit -n`"))?;
        ping(&mut stream).with_context(|| format!("connection {number}"))?;
        connections.push(stream);
    }
    let each = memory(server.id())?.saturating_sub(before) / CONNECTIONS;
    println!("{CONNECTIONS} idle connections take {each} bytes each");
    ensure!(each < EACH, "each takes {each} bytes");
    // On a slow machine, the first are idle for so long that the server has ended them.
    for stream in connections.iter_mut().rev().take(100) {
        ping(stream)?;
    }
    Ok(())
}
