//! A connection that waits, for what is sent: pushes have large bodies, and the next request depends on the last answer.

use super::answer::{Head, value};
use super::chunks::Chunks;
use anyhow::{Context, Result, ensure};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_mins(2);

/// A client with one connection.
#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    port: u16,
}

/// What it was answered.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The headers as they came.
    pub(crate) head: Vec<u8>,
    /// The body, with the sizes of its chunks if it came in some.
    pub(crate) body: Vec<u8>,
}

impl Client {
    /// Connects to a port of the loopback device.
    pub(crate) fn connect(port: u16) -> Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, port })
    }

    /// Sends a request with a body in parts; each header is a whole line.
    pub(crate) fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[&str],
        body: &[&[u8]],
    ) -> Result<Answer> {
        self.exchange(method, path, headers, body).with_context(|| format!("{method} {path}"))
    }

    fn exchange(&mut self, method: &str, path: &str, headers: &[&str], body: &[&[u8]]) -> Result<Answer> {
        let length: usize = body.iter().map(|part| part.len()).sum();
        let headers: String = headers.iter().flat_map(|header| [*header, "\r\n"]).collect();
        let port = self.port;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Length: {length}\r\n{headers}\r\n"
        );
        self.stream.write_all(head.as_bytes())?;
        body.iter().try_for_each(|part| self.stream.write_all(part))?;
        self.read(method == "HEAD")
    }

    fn read(&mut self, is_head: bool) -> Result<Answer> {
        let mut bytes = Vec::new();
        let head = loop {
            self.read_some(&mut bytes)?;
            if let Some(head) = Head::parse(&bytes)? {
                break head;
            }
        };
        let mut body = bytes.split_off(head.length);
        let length = if is_head { Some(0) } else { head.body };
        while !is_whole(&body, length) {
            self.read_some(&mut body)?;
        }
        Ok(Answer { status: head.status, head: bytes, body })
    }

    fn read_some(&mut self, bytes: &mut Vec<u8>) -> Result<()> {
        let start = bytes.len();
        bytes.resize(start + (64 << 10), 0);
        let length = self.stream.read(&mut bytes[start..])?;
        bytes.truncate(start + length);
        ensure!(length > 0, "the server has closed the connection");
        Ok(())
    }
}

fn is_whole(body: &[u8], length: Option<u64>) -> bool {
    length.map_or_else(
        || {
            let mut chunks = Chunks::START;
            chunks.pass(body);
            chunks.is_over()
        },
        |length| body.len() as u64 >= length,
    )
}

impl Answer {
    /// The answer itself, if it has this status.
    pub(crate) fn expect(self, status: u16) -> Result<Self> {
        let said = String::from_utf8_lossy(&self.body);
        ensure!(self.status == status, "{status} was expected, not {}: {said}", self.status);
        Ok(self)
    }

    /// A header; its name is given in lower case with its colon.
    pub(crate) fn header(&self, name: &str) -> Result<String> {
        let found = self.head.split(|byte| *byte == b'\n').find_map(|line| value(line, name));
        let found = found.with_context(|| format!("the answer has no {name}"))?;
        Ok(String::from_utf8_lossy(found).trim().to_owned())
    }

    /// The path and query of the `Location`.
    pub(crate) fn location(&self) -> Result<String> {
        let location = self.header("location:")?;
        let path =
            location.split_once("://").and_then(|(_, rest)| rest.find('/').map(|slash| &rest[slash..]));
        Ok(path.unwrap_or(&location).to_owned())
    }
}
