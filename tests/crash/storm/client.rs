//! A client that outlives servers: it remembers what it was told by one, and holds the next one to it.

use super::connection::{Ask, Connection};
use super::model::Model;
use super::tally::Tally;
use super::upload::Upload;
use anyhow::{Context, Result, bail, ensure};
use berth_tests::http::Answer;
use fastrand::Rng;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// For how long a client may count on what it was told of content that no image needs yet: less than the quarantine of the
/// collections.
pub(crate) const PROMISE: Duration = Duration::from_secs(3);

/// How often a question is asked that the server fails to answer.
const ATTEMPTS: usize = 20;

/// The life of one server.
#[derive(Debug, Default)]
pub(crate) struct Life {
    pub(crate) port: u16,
    /// How many operations all clients may begin.
    pub(crate) most: usize,
    pub(crate) operations: AtomicUsize,
    /// How many clients have looked at everything, and make changes now.
    pub(crate) at_work: AtomicUsize,
    pub(crate) is_over: AtomicBool,
    /// Whether the server may answer that it has failed.
    pub(crate) may_fail: AtomicBool,
    /// Whether another server has been looked through already.
    pub(crate) is_looked_through: bool,
}

impl Life {
    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    pub(crate) fn goes_on(&self) -> bool {
        !self.is_over() && self.operations.load(Ordering::Relaxed) < self.most
    }
}

/// One client with tags and blobs of its own.
#[derive(Debug)]
pub(crate) struct Client<'a> {
    pub(crate) name: String,
    pub(crate) random: Rng,
    pub(crate) tally: &'a Tally,
    /// Whether the end of a server takes with it what was not flushed: the deletions of before.
    pub(crate) loses_power: bool,
    pub(crate) model: Model,
    /// An upload that was cut off.
    pub(crate) upload: Option<Upload>,
    /// How many images it has made.
    pub(crate) images: usize,
    /// Whether the last answer told of a failure of the server.
    pub(crate) has_failed: bool,
    life: Arc<Life>,
    connection: Option<Connection>,
}

impl<'a> Client<'a> {
    pub(crate) fn new(name: String, seed: u64, tally: &'a Tally, loses_power: bool) -> Self {
        let (random, model) = (Rng::with_seed(seed), Model::default());
        let (upload, connection, life) = (None, None, Arc::default());
        Self {
            name,
            random,
            tally,
            loses_power,
            model,
            upload,
            images: 0,
            has_failed: false,
            life,
            connection,
        }
    }

    /// Looks at everything, and then makes random changes for as long as the server lives.
    pub(crate) fn live(&mut self, life: &Arc<Life>) -> Result<()> {
        (self.life, self.connection) = (Arc::clone(life), None);
        if life.is_looked_through || self.verify()? {
            life.at_work.fetch_add(1, Ordering::Relaxed);
            while life.goes_on() && self.is_connected() {
                life.operations.fetch_add(1, Ordering::Relaxed);
                self.operate()?;
            }
        }
        self.connection = None;
        Ok(())
    }

    /// Whether there is a server.
    pub(crate) fn is_connected(&mut self) -> bool {
        if self.connection.is_none() {
            self.connection = Connection::open(self.life.port).ok();
        }
        self.connection.is_some()
    }

    /// Whether the server may answer that it has failed.
    pub(crate) fn may_fail(&self) -> bool {
        self.life.may_fail.load(Ordering::Relaxed)
    }

    /// Asks for a change. `None` when nobody knows whether it was made: there is no answer, or one that tells of a failure.
    pub(crate) fn ask(&mut self, request: Ask<'_>) -> Result<Option<Answer>> {
        let Ask { method, path, .. } = request;
        if !self.is_connected() {
            return Ok(None);
        }
        self.has_failed = false;
        let answer = self.connection.as_mut().and_then(|connection| connection.send(request).ok());
        let Some(answer) = answer else {
            self.connection = None;
            self.tally.count("requests without an answer");
            return Ok(None);
        };
        if answer.status >= 500 {
            self.has_failed = true;
            self.tally.count("answers that tell of a failure of the server");
            expect_clean_failure(request, &answer)?;
            ensure!(self.may_fail(), "{} {}: {}", method, path, answer.text());
            return Ok(None);
        }
        self.tally.count("answers");
        Ok(Some(answer))
    }

    /// Asks until there is an answer; `None` when there is no server any more.
    pub(crate) fn question(&mut self, method: &str, path: &str) -> Result<Option<Answer>> {
        for _ in 0..ATTEMPTS {
            if self.life.is_over() || !self.is_connected() {
                return Ok(None);
            }
            let answer = self.ask(Ask { method, path, ..Ask::default() })?;
            if answer.is_some() {
                return Ok(answer);
            }
        }
        if self.may_fail() {
            // Its disk is gone, or an answer takes more calls than lie between two failures. The next server is asked.
            return Ok(None);
        }
        bail!("the server does not answer {method} {path}")
    }
}

/// A failure of the server is told in the words of the protocol, and without internals.
fn expect_clean_failure(request: Ask<'_>, answer: &Answer) -> Result<()> {
    if request.method == "HEAD" {
        return Ok(());
    }
    let told = || format!("{} {}: {} {}", request.method, request.path, answer.status, answer.text());
    let body = answer.json().with_context(told)?;
    ensure!(body["errors"][0]["code"].is_string(), "{}", told());
    ensure!(!answer.text().contains("docker/registry") && !answer.text().contains("os error"), "{}", told());
    Ok(())
}
