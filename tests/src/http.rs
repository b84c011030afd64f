//! One HTTP request by `curl`, and its answer taken apart.

use anyhow::{Context, Result, ensure};
use std::process::Command;

/// What a server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers in their order, with names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The value of a header; its name is given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> Result<serde_json::Value> {
        serde_json::from_slice(&self.body).with_context(|| format!("this is no JSON: {}", self.text()))
    }

    /// The answer itself, if it has this status.
    pub fn expect(self, status: u16) -> Result<Self> {
        ensure!(self.status == status, "{status} was expected, not {}: {}", self.status, self.text());
        Ok(self)
    }

    /// Takes apart what `curl --include` prints; answers that only announce another one are passed over.
    pub fn parse(printed: &[u8]) -> Result<Self> {
        let end = printed.windows(4).position(|bytes| bytes == b"\r\n\r\n");
        let (head, body) = printed.split_at(end.context("curl printed no headers")?);
        let body = &body[4..];
        let head = String::from_utf8_lossy(head);
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1));
        let status = status.and_then(|status| status.parse().ok()).context("curl printed no status")?;
        if (100..200).contains(&status) {
            return Self::parse(body);
        }
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
        Ok(Self { status, headers: headers.collect(), body: body.to_owned() })
    }
}

/// Sends the request that the arguments of this `curl` describe.
pub fn ask(curl: &mut Command) -> Result<Answer> {
    let output =
        curl.args(["--silent", "--show-error", "--include"]).output().context("cannot start curl")?;
    let said = || String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "curl failed: {}", said());
    Answer::parse(&output.stdout).with_context(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_taken_apart() {
        let printed = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/2 404 \r\nContent-Type: text/plain\r\nEtag: \"a:b\"\r\n\r\nno\r\n\r\n";
        let answer = Answer::parse(printed).unwrap();
        assert_eq!(answer.status, 404);
        assert_eq!(answer.header("etag"), Some("\"a:b\""));
        assert_eq!(answer.text(), "no\r\n\r\n");
        assert!(answer.expect(200).is_err());
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        assert!(Answer::parse(b"").is_err());
        assert!(Answer::parse(b"hello\r\n\r\n").is_err());
    }
}
