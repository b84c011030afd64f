//! A request without a body, as the bytes that are sent.

/// Requests that belong together, such as those of the pull of an image.
pub(crate) type Operation = Vec<Request>;

/// What is sent, and what is expected.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(super) bytes: Vec<u8>,
    pub(super) status: u16,
    pub(super) has_body: bool,
}

impl Request {
    /// A request to `host`; each header is a whole line without its end.
    pub(crate) fn new(host: &str, method: &str, path: &str, headers: &[String]) -> Self {
        let headers: String = headers.iter().flat_map(|header| [header, "\r\n"]).collect();
        let text = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n");
        Self { bytes: text.into_bytes(), status: 200, has_body: method != "HEAD" }
    }

    /// The same that expects another status than 200.
    pub(crate) fn expecting(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// The first line, for messages.
    pub(super) fn line(&self) -> String {
        let line = self.bytes.split(|byte| *byte == b'\r').next().unwrap_or_default();
        String::from_utf8_lossy(line).into_owned()
    }
}
