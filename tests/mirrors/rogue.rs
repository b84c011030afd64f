//! A registry that misbehaves as it is told to: each request is noted, and answered by a function.

use anyhow::Result;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Barrier, Mutex, PoisonError};
use std::thread;

/// A request that has come.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// `GET /v2/app/manifests/1`
    pub(crate) line: String,
    /// Names in lower case.
    headers: Vec<(String, String)>,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }
}

/// What it answers.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    /// After so many bytes of the body the connection ends.
    breaks_after: Option<usize>,
    /// The second half of the body is sent when somebody else has come here, too.
    meets: Option<Arc<Barrier>>,
}

impl Reply {
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into(), breaks_after: None, meets: None }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn broken_after(self, length: usize) -> Self {
        Self { breaks_after: Some(length), ..self }
    }

    pub(crate) fn halting_at(self, barrier: &Arc<Barrier>) -> Self {
        Self { meets: Some(Arc::clone(barrier)), ..self }
    }

    fn write(&self, stream: &mut TcpStream, is_head: bool) -> std::io::Result<()> {
        write!(
            stream,
            "HTTP/1.1 {} Told\r\ncontent-length: {}\r\nconnection: close\r\n",
            self.status,
            self.body.len()
        )?;
        for (name, value) in &self.headers {
            write!(stream, "{name}: {value}\r\n")?;
        }
        stream.write_all(b"\r\n")?;
        if is_head {
            return Ok(());
        }
        let end = self.breaks_after.unwrap_or(self.body.len()).min(self.body.len());
        let half = if self.meets.is_some() { end / 2 } else { end };
        stream.write_all(&self.body[..half])?;
        if let Some(barrier) = &self.meets {
            barrier.wait();
        }
        stream.write_all(&self.body[half..end])
    }
}

/// The running registry.
pub(crate) struct Rogue {
    port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Rogue {
    /// Answers by `answer` from now on.
    pub(crate) fn start(answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let rogue = Self { port: listener.local_addr()?.port(), seen: Arc::default() };
        let (seen, answer) = (Arc::clone(&rogue.seen), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                thread::spawn(move || {
                    // Whoever goes away has its reasons.
                    let _ended = serve(stream, &seen, &*answer);
                });
            }
        });
        Ok(rogue)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// All requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many requests began with this line.
    pub(crate) fn count(&self, line: &str) -> usize {
        self.seen().iter().filter(|seen| seen.line.starts_with(line)).count()
    }
}

fn serve(
    mut stream: TcpStream,
    all: &Mutex<Vec<Seen>>,
    answer: &dyn Fn(&Seen) -> Reply,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let line = lines.next().transpose()?.unwrap_or_default();
    let line = line.trim_end_matches(" HTTP/1.1").to_owned();
    let mut headers = Vec::new();
    for line in lines {
        let line = line?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let seen = Seen { line, headers };
    all.lock().unwrap_or_else(PoisonError::into_inner).push(seen.clone());
    answer(&seen).write(&mut stream, seen.line.starts_with("HEAD "))
}
