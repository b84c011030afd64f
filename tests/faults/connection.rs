//! HTTP/1.1 by hand: what a server leaves out, cuts off or never sends is seen exactly.

use anyhow::{Context, Result, bail, ensure};
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

/// Who is silent for longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(75);

/// A request to be sent.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ask<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) body: &'a [u8],
}

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Whether the connection was cut before the end of the body.
    pub(crate) is_cut: bool,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Result<serde_json::Value> {
        serde_json::from_slice(&self.body).with_context(|| format!("this is no JSON: {}", self.text()))
    }
}

/// A connection that is kept for many requests.
#[derive(Debug)]
pub(crate) struct Connection(BufReader<TcpStream>);

impl Connection {
    pub(crate) fn open(port: u16) -> Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Sends the request and reads the answer. The connection may be used again unless the answer is cut.
    pub(crate) fn send(&mut self, ask: Ask<'_>) -> Result<Answer> {
        let headers =
            ask.headers.iter().fold(String::new(), |all, (name, value)| all + name + ": " + value + "\r\n");
        let head = format!(
            "{} {} HTTP/1.1\r\nHost: registry\r\nContent-Length: {}\r\n{headers}\r\n",
            ask.method,
            ask.path,
            ask.body.len()
        );
        let request = [head.as_bytes(), ask.body].concat();
        // A server that answers before the end of a body may close the connection; the answer says why.
        let sent = self.0.get_mut().write_all(&request);
        let answer = self.read_answer(ask.method == "HEAD");
        answer.with_context(|| format!("{} {} got no answer; sending: {sent:?}", ask.method, ask.path))
    }

    fn read_answer(&mut self, is_head: bool) -> Result<Answer> {
        let line = self.read_line()?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.with_context(|| format!("this is no status line: {line:?}"))?;
        let mut headers = Vec::new();
        loop {
            let line = self.read_line()?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut answer = Answer { status, headers, body: Vec::new(), is_cut: false };
        if answer.header("transfer-encoding").is_some() {
            bail!("the length of the answer is unknown");
        }
        let length = answer.header("content-length").map_or(Ok(0), str::parse::<u64>)?;
        if !is_head {
            answer.is_cut = self.read_body(length, &mut answer.body)?;
        }
        Ok(answer)
    }

    /// Whether the body is cut.
    fn read_body(&mut self, length: u64, body: &mut Vec<u8>) -> Result<bool> {
        match self.0.by_ref().take(length).read_to_end(body) {
            Ok(_) => Ok((body.len() as u64) < length),
            Err(error) if error.kind() == ErrorKind::WouldBlock => bail!("the body hangs"),
            Err(_) => Ok(true),
        }
    }

    fn read_line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        ensure!(line.ends_with('\n'), "the connection was closed");
        Ok(line.trim_end().to_owned())
    }
}
