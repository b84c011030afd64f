//! A client that comes back when it is told to, and that judges every answer.

use anyhow::{Context, Result, ensure};
use std::thread;
use std::time::{Duration, Instant};

use crate::connection::{Answer, Ask, Connection};
use crate::tally::Tally;

/// For how long a client comes back.
const ENDURANCE: Duration = Duration::from_mins(5);

/// How long a client waits before it comes back. The registry asks for longer; it must not depend on it.
const PAUSE: Duration = Duration::from_millis(200);

pub(crate) struct Client<'a> {
    port: u16,
    connection: Option<Connection>,
    tally: &'a Tally,
}

impl<'a> Client<'a> {
    pub(crate) fn new(port: u16, tally: &'a Tally) -> Self {
        Self { port, connection: None, tally }
    }

    /// Sends the request once. `None` when the registry says in the right words that its storage is away.
    pub(crate) fn try_once(&mut self, ask: Ask<'_>) -> Result<Option<Answer>> {
        let answer = self.exchange(ask)?;
        ensure!(!answer.is_cut || ask.method == "GET", "{} {}: the answer is cut", ask.method, ask.path);
        if answer.is_cut {
            ensure!(answer.status < 300, "an error is cut");
            self.tally.cut.add(1);
            return Ok(None);
        }
        if answer.status < 500 {
            self.tally.answered.add(1);
            return Ok(Some(answer));
        }
        judge(&answer, ask.method == "HEAD")
            .with_context(|| format!("{} {}: {} {}", ask.method, ask.path, answer.status, answer.text()))?;
        self.tally.unavailable.add(1);
        Ok(None)
    }

    /// Sends the request until it is answered otherwise than that the storage is away.
    pub(crate) fn insist(&mut self, ask: Ask<'_>) -> Result<Answer> {
        let started = Instant::now();
        loop {
            if let Some(answer) = self.try_once(ask)? {
                return Ok(answer);
            }
            ensure!(started.elapsed() < ENDURANCE, "{} {} never succeeds", ask.method, ask.path);
            thread::park_timeout(PAUSE);
        }
    }

    /// The same, and the answer must have this status.
    pub(crate) fn expect(&mut self, status: u16, ask: Ask<'_>) -> Result<Answer> {
        let answer = self.insist(ask)?;
        ensure!(
            answer.status == status,
            "{} {}: {status} was expected, not {} {}",
            ask.method,
            ask.path,
            answer.status,
            answer.text()
        );
        Ok(answer)
    }

    pub(crate) fn get(&mut self, path: &str) -> Result<Answer> {
        self.insist(Ask { method: "GET", path, ..Ask::default() })
    }

    fn exchange(&mut self, ask: Ask<'_>) -> Result<Answer> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(self.port)?,
        };
        let answer = connection.send(ask)?;
        let is_kept = !answer.is_cut && answer.header("connection") != Some("close");
        self.connection = Some(connection).filter(|_| is_kept);
        Ok(answer)
    }
}

/// A failure of the registry says that it is one that passes, when to come back, and its own name.
fn judge(answer: &Answer, has_no_body: bool) -> Result<()> {
    ensure!(answer.status == 503, "only what passes may fail");
    ensure!(answer.header("retry-after").is_some(), "it does not say when to come back");
    let id = answer.header("x-request-id").context("no id of the request")?;
    if has_no_body {
        return Ok(());
    }
    let error = &answer.json()?["errors"][0];
    ensure!(error["code"] == "UNAVAILABLE" && error["detail"]["requestId"] == id, "the body does not say it");
    Ok(())
}
