//! A connection to a server that is kept for many requests: a process for each would cost more than what is tested.

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use berth_tests::http::Answer;
use berth_tests::registry_server::{PASSWORD, USER};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

/// A request to be sent.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ask<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    /// Lines such as `Name: value`.
    pub(crate) headers: &'a [String],
    pub(crate) body: &'a [u8],
}

/// HTTP/1.1 over one connection.
#[derive(Debug)]
pub(crate) struct Connection {
    port: u16,
    stream: BufReader<TcpStream>,
}

impl Connection {
    pub(crate) fn open(port: u16) -> Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(Duration::from_mins(2)))?;
        stream.set_nodelay(true)?;
        Ok(Self { port, stream: BufReader::new(stream) })
    }

    /// Sends a request and reads the answer to its end.
    pub(crate) fn send(&mut self, request: Ask<'_>) -> Result<Answer> {
        let Ask { method, path, headers, body } = request;
        let credentials = STANDARD.encode(format!("{USER}:{PASSWORD}"));
        let mut bytes = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost:{}\r\nAuthorization: Basic {credentials}\r\n\
             Content-Length: {}\r\n",
            self.port,
            body.len()
        );
        bytes.extend(headers.iter().flat_map(|header| [header, "\r\n"]));
        bytes.push_str("\r\n");
        let mut bytes = bytes.into_bytes();
        bytes.extend_from_slice(body);
        self.stream.get_mut().write_all(&bytes)?;
        self.read_answer(method == "HEAD")
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
        let mut answer = Answer { status, headers, body: Vec::new() };
        if !is_head {
            let length = answer.header("content-length").unwrap_or("0").parse()?;
            answer.body.resize(length, 0);
            self.stream.read_exact(&mut answer.body)?;
        }
        Ok(answer)
    }

    fn read_line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        ensure!(line.ends_with('\n'), "the answer breaks off");
        Ok(line.trim_end().to_owned())
    }
}
