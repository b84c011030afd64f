//! Requests that come to another server each time.

use anyhow::{Result, ensure};
use berth_tests::http::{Answer, ask};
use sha2::{Digest, Sha256};
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

use crate::fleet::{Fleet, SERVERS};

/// How long a question is asked again while servers are down.
const PATIENCE: Duration = Duration::from_secs(30);

/// A client of all servers.
pub(crate) struct Client<'a> {
    fleet: &'a Fleet,
    folder: TempDir,
    next: usize,
}

/// A request to be sent.
#[derive(Clone, Copy, Default)]
pub(crate) struct Ask<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) headers: &'a [String],
    pub(crate) body: &'a [u8],
}

impl<'a> Client<'a> {
    pub(crate) fn new(fleet: &'a Fleet, first: usize) -> Result<Self> {
        Ok(Self { fleet, folder: TempDir::new()?, next: first })
    }

    /// Sends a request to the next server. `None` when there is no whole answer: it may have been done or not.
    pub(crate) fn send(&mut self, request: Ask<'_>) -> Result<Option<Answer>> {
        self.next = (self.next + 1) % SERVERS;
        let mut curl = Command::new("curl");
        curl.args(["--max-time", "30", "--request", request.method]);
        for header in request.headers {
            curl.args(["--header", header]);
        }
        if request.method == "HEAD" {
            curl.arg("--head");
        } else if !matches!(request.method, "GET" | "DELETE") {
            let file = self.folder.path().join("body");
            fs::write(&file, request.body)?;
            curl.args(["--data-binary", &format!("@{}", file.display())]);
        }
        let answer = ask(curl.arg(self.fleet.url(self.next, request.path))).ok();
        // A server that lost its storage would be a failure of the test; one that is being killed is none.
        if let Some(answer) = &answer {
            ensure!(answer.status < 500, "{} {}: {}", request.method, request.path, answer.text());
        }
        Ok(answer)
    }

    /// Asks one server after another until one answers.
    pub(crate) fn question(&mut self, method: &str, path: &str) -> Result<Answer> {
        let started = Instant::now();
        loop {
            if let Some(answer) = self.send(Ask { method, path, ..Ask::default() })? {
                return Ok(answer);
            }
            ensure!(started.elapsed() < PATIENCE, "no server answers {method} {path}");
        }
    }

    /// What a tag or digest is at now.
    pub(crate) fn manifest_at(&mut self, repository: &str, reference: &str) -> Result<Option<String>> {
        let path = format!("/v2/{repository}/manifests/{reference}");
        let answer = self.question("GET", &path)?;
        if answer.status == 404 {
            return Ok(None);
        }
        ensure!(answer.status == 200, "GET {path}: {} {}", answer.status, answer.text());
        Ok(Some(digest(&answer.body)))
    }
}

pub(crate) fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::from("sha256:"), |text, byte| text + &format!("{byte:02x}"))
}
