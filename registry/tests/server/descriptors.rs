//! The program with few descriptors: what it cannot have for a moment must not end it, nor starve the storage.

use std::{
    io::{BufRead, BufReader, Lines},
    net::SocketAddr,
    process::{Child, ChildStderr, Command, Stdio},
};

use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::raw::{PING, Raw, push_blob};

/// The program, serving a folder on a free port. It is killed when it is dropped.
struct Program {
    process: Child,
    address: SocketAddr,
    log: Lines<BufReader<ChildStderr>>,
    _folder: TempDir,
}

impl Program {
    /// Starts it with at most so many descriptors.
    fn start(descriptors: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut process = Command::new("sh")
            .args(["-c", "ulimit -n \"$0\" && exec \"$@\"", &descriptors.to_string()])
            .args([env!("CARGO_BIN_EXE_registry"), "serve", "--addr", "127.0.0.1:0", "--root"])
            .arg(folder.path())
            .env_clear()
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
        let announced = log.find(|line| line.as_ref().unwrap().contains("listening on ")).unwrap().unwrap();
        let (_, after) = announced.split_once("listening on ").unwrap();
        let address = after.split(' ').next().unwrap().parse().unwrap();
        Self { process, address, log, _folder: folder }
    }

    async fn connect(&self) -> Raw<TcpStream> {
        Raw::new(TcpStream::connect(self.address).await.unwrap())
    }

    /// Sets how many descriptors it may have from now on.
    fn allow(&self, descriptors: usize) {
        let limit = format!("--nofile={descriptors}:");
        let pid = self.process.id().to_string();
        assert!(Command::new("prlimit").args(["--pid", &pid, &limit]).status().unwrap().success());
    }

    /// Waits for a line of the log.
    fn wait_for(&mut self, words: &str) {
        assert!(self.log.any(|line| line.unwrap().contains(words)), "the program ended without {words:?}");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn idle_connections_leave_descriptors_to_the_storage() {
    let mut program = Program::start(128);
    let mut busy = program.connect().await;
    assert_eq!(busy.ask(PING).await.status, 200);
    let mut idle = Vec::new();
    for _ in 0..120 {
        let mut raw = program.connect().await;
        raw.send(PING).await;
        idle.push(raw);
    }
    program.wait_for("as many connections as there may be");
    push_blob(&mut busy, &vec![7; 1 << 20]).await;
    // Each that ends lets one of those in that wait.
    let mut last = idle.pop().unwrap();
    drop(idle);
    assert_eq!(last.answer().await.status, 200);
}

#[tokio::test]
async fn connections_are_accepted_again_when_there_are_descriptors_again() {
    let mut program = Program::start(128);
    let mut old = program.connect().await;
    assert_eq!(old.ask(PING).await.status, 200);
    program.allow(3);
    let mut new = program.connect().await;
    new.send(PING).await;
    program.wait_for("cannot accept connections at the moment");
    assert_eq!(old.ask(PING).await.status, 200);
    program.allow(128);
    assert_eq!(new.answer().await.status, 200);
}
