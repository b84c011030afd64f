//! A connection to a server that is kept for many requests: what a process for each request would cost is spent on
//! requests instead.

use super::Ask;
use crate::http::Answer;
use crate::registry_server::{PASSWORD, USER};
use anyhow::{Context, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_mins(2);

/// How long a connection may be without a request; servers let go of one after 90 seconds.
const FRESH: Duration = Duration::from_secs(30);

/// HTTP/1.1 over one connection, as the one user.
#[derive(Debug)]
pub(super) struct Connection {
    port: u16,
    life: usize,
    stream: BufReader<TcpStream>,
    used: Instant,
}

impl Connection {
    pub(super) fn open(port: u16, life: usize) -> Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self { port, life, stream: BufReader::new(stream), used: Instant::now() })
    }

    /// The life of the server that it belongs to.
    pub(super) fn life(&self) -> usize {
        self.life
    }

    /// Whether the server has not yet let go of it.
    pub(super) fn is_fresh(&self) -> bool {
        self.used.elapsed() < FRESH
    }

    /// The connection, unless the answer ends it.
    pub(super) fn kept(self, answer: &Answer) -> Option<Self> {
        let used = Instant::now();
        (answer.header("connection") != Some("close")).then_some(Self { used, ..self })
    }

    /// Sends a request and reads the answer to its end.
    pub(super) fn send(&mut self, ask: &Ask<'_>) -> Result<Answer> {
        let credentials = STANDARD.encode(format!("{USER}:{PASSWORD}"));
        let mut request = Vec::new();
        write!(request, "{} {} HTTP/1.1\r\nHost: localhost:{}\r\n", ask.method, ask.path, self.port)?;
        write!(request, "Authorization: Basic {credentials}\r\nContent-Length: {}\r\n", ask.body.len())?;
        for header in ask.headers {
            write!(request, "{header}\r\n")?;
        }
        request.extend_from_slice(b"\r\n");
        request.extend_from_slice(ask.body);
        self.stream.get_mut().write_all(&request)?;
        self.read_answer(ask.method == "HEAD")
    }

    fn read_answer(&mut self, is_head: bool) -> Result<Answer> {
        let line = self.read_line()?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.with_context(|| format!("this is no status line: {line:?}"))?;
        let mut headers = Vec::new();
        while let Some((name, value)) = self.read_line()?.split_once(':') {
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut answer = Answer { status, headers, body: Vec::new() };
        if answer.header("transfer-encoding").is_some() {
            bail!("the length of the answer is unknown");
        }
        let length = answer.header("content-length").map_or(Ok(0), str::parse)?;
        answer.body.resize(if is_head { 0 } else { length }, 0);
        self.stream.read_exact(&mut answer.body)?;
        Ok(answer)
    }

    fn read_line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        if !line.ends_with('\n') {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        Ok(line.trim_end().to_owned())
    }
}
