//! HTTP/1.1 by hand: what is sent is what the test says, byte by byte.

use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The simplest request of the protocol.
pub(crate) const PING: &str = "GET /v2/ HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// The digest of these bytes.
pub(crate) fn digest_of(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold("sha256:".to_owned(), |digest, byte| digest + &format!("{byte:02x}"))
}

/// Pushes a blob to the repository `app` and returns its digest.
pub(crate) async fn push_blob<T: AsyncRead + AsyncWrite + Unpin>(raw: &mut Raw<T>, blob: &[u8]) -> String {
    let digest = digest_of(blob);
    let head = format!(
        "POST /v2/app/blobs/uploads/?digest={digest} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
        blob.len()
    );
    raw.send(head).await;
    assert_eq!(raw.ask(blob).await.status, 201);
    digest
}

/// A connection to speak HTTP/1.1 on.
pub(crate) struct Raw<T> {
    pub(crate) stream: T,
    /// What came and has not been looked at.
    received: Vec<u8>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The status line and the headers.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    /// The value of a header, whose name is compared without regard to case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The path of the `Location` header.
    pub(crate) fn location(&self) -> &str {
        let location = self.header("location").unwrap_or_else(|| panic!("no Location in {}", self.head));
        location.strip_prefix("http://localhost").unwrap_or(location)
    }

    /// The code of the error that the body tells.
    pub(crate) fn code(&self) -> String {
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        body["errors"][0]["code"].as_str().unwrap().to_owned()
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Raw<T> {
    pub(crate) fn new(stream: T) -> Self {
        Self { stream, received: Vec::new() }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// Sends a request and reads its answer.
    pub(crate) async fn ask(&mut self, request: impl AsRef<[u8]>) -> Answer {
        self.send(request).await;
        self.answer().await
    }

    /// Reads one answer; the connection stays open.
    pub(crate) async fn answer(&mut self) -> Answer {
        self.next_answer().await.unwrap_or_else(|| panic!("the server has closed the connection"))
    }

    /// Reads one answer; `None` if the connection ends before it has begun.
    pub(crate) async fn next_answer(&mut self) -> Option<Answer> {
        let mut answer = self.next_head().await?;
        let length = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
        while self.received.len() < length && self.read().await {}
        answer.body = String::from_utf8(self.received.drain(..length).collect()).unwrap();
        Some(answer)
    }

    /// Reads an answer without a body, as one to `HEAD`; `None` if the connection ends before it has begun.
    pub(crate) async fn next_head(&mut self) -> Option<Answer> {
        let end = loop {
            match self.received.windows(4).position(|window| window == b"\r\n\r\n") {
                Some(end) => break end + 4,
                None if self.read().await => {}
                None => return None,
            }
        };
        let head = String::from_utf8(self.received.drain(..end).collect()).unwrap();
        Some(Answer { status: head[9..12].parse().unwrap(), head, body: String::new() })
    }

    /// Reads so many bytes; fewer if the connection ends before.
    pub(crate) async fn bytes(&mut self, length: usize) -> Vec<u8> {
        while self.received.len() < length && self.read().await {}
        self.received.drain(..length.min(self.received.len())).collect()
    }

    /// Reads what else comes until the server closes the connection.
    pub(crate) async fn rest(&mut self) -> String {
        while self.read().await {}
        String::from_utf8_lossy(&std::mem::take(&mut self.received)).into_owned()
    }

    /// Waits until the server has closed the connection, and sees that nothing came before.
    pub(crate) async fn assert_closed(&mut self) {
        assert_eq!(self.rest().await, "");
    }

    /// Reads a little more; `false` at the end of the connection, in whatever way it ends.
    async fn read(&mut self) -> bool {
        matches!(self.stream.read_buf(&mut self.received).await, Ok(length) if length > 0)
    }
}
