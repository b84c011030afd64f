//! The head of an answer, of which only the status and the length of the body are read.

use anyhow::{Context, Result};

/// What a head says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) status: u16,
    /// How many bytes the head itself has.
    pub(super) length: usize,
    /// How many the body has; unknown when it comes in chunks.
    pub(super) body: Option<u64>,
}

impl Head {
    /// Reads a head; `None` when it has not come to its end.
    pub(super) fn parse(bytes: &[u8]) -> Result<Option<Self>> {
        let (mut body, mut start) = (Some(0), 0);
        loop {
            let Some(length) = bytes[start..].iter().position(|byte| *byte == b'\n') else { return Ok(None) };
            let line = &bytes[start..start + length];
            start += length + 1;
            if matches!(line, b"\r" | b"") {
                return Ok(Some(Self { status: status(bytes)?, length: start, body }));
            }
            match line[0] {
                b'c' | b'C' => body = value(line, "content-length:").map_or(Ok(body), number)?,
                b't' | b'T' if value(line, "transfer-encoding:").is_some() => body = None,
                _ => {}
            }
        }
    }
}

fn status(head: &[u8]) -> Result<u16> {
    let digits = head.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok());
    digits.and_then(|digits| digits.parse().ok()).context("the answer has no status")
}

fn number(text: &[u8]) -> Result<Option<u64>> {
    let text = std::str::from_utf8(text)?.trim();
    Ok(Some(text.parse().with_context(|| format!("{text:?} is no length"))?))
}

/// What follows the name of a header, if the line is that header.
pub(super) fn value<'a>(line: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let (found, value) = line.split_at_checked(name.len())?;
    found.eq_ignore_ascii_case(name.as_bytes()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_when_it_is_whole() {
        let head = b"HTTP/1.1 206 Partial Content\r\ncontent-type: a\r\nCONTENT-LENGTH: 12\r\n\r\nbody";
        assert_eq!(Head::parse(&head[..60]).unwrap(), None);
        let parsed = Head::parse(head).unwrap().unwrap();
        assert_eq!(parsed, Head { status: 206, length: head.len() - 4, body: Some(12) });
    }

    #[test]
    fn chunks_have_no_length_beforehand() {
        let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(Head::parse(head).unwrap().unwrap().body, None);
    }
}
