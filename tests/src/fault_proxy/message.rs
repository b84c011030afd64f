//! Requests and answers of HTTP/1.1 as they stand on the wire: nothing of them is changed.

use std::io::{self, BufRead, Read as _};

/// The lines before the body, with the empty one at their end.
#[derive(Debug, Clone)]
pub(super) struct Head(Vec<u8>);

impl Head {
    /// The next head; `None` when the connection has ended.
    pub(super) fn read(stream: &mut impl BufRead) -> io::Result<Option<Self>> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if stream.read_until(b'\n', &mut head)? == 0 {
                return if head.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
        }
        Ok(Some(Self(head)))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The line that says what is asked for, or what became of it.
    pub(super) fn first_line(&self) -> String {
        String::from_utf8_lossy(&self.0).lines().next().unwrap_or_default().to_owned()
    }

    /// Whether the request asks for no body.
    pub(super) fn is_head(&self) -> bool {
        self.0.starts_with(b"HEAD ")
    }

    /// Whether S3 may answer the request with 200 before it is done: a copy, or the end of a multipart upload.
    pub(super) fn may_fail_late(&self) -> bool {
        let is_completion = self.0.starts_with(b"POST ") && self.first_line().contains("uploadId=");
        is_completion || self.header("x-amz-copy-source").is_some()
    }

    /// The status of an answer.
    fn status(&self) -> Option<u16> {
        self.first_line().split(' ').nth(1)?.parse().ok()
    }

    fn header(&self, name: &str) -> Option<String> {
        let head = String::from_utf8_lossy(&self.0);
        let mut headers = head.lines().skip(1).filter_map(|line| line.split_once(':'));
        let found = headers.find(|(header, _)| header.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim().to_owned())
    }

    /// How long the body is; `None` when it comes in chunks.
    fn length(&self) -> io::Result<Option<usize>> {
        if self.header("transfer-encoding").is_some() {
            return Ok(None);
        }
        let length = self.header("content-length").map_or(Ok(0), |length| length.parse());
        length.map(Some).map_err(io::Error::other)
    }

    /// The body that follows, with the marks of its chunks if it comes in chunks.
    pub(super) fn read_body(&self, stream: &mut impl BufRead) -> io::Result<Vec<u8>> {
        let Some(length) = self.length()? else { return read_chunks(stream) };
        let mut body = vec![0; length];
        stream.read_exact(&mut body)?;
        Ok(body)
    }

    /// Reads about half of the body, and leaves the rest.
    pub(super) fn read_half(&self, stream: &mut impl BufRead) -> io::Result<()> {
        let half = self.length()?.unwrap_or_default() / 2;
        io::copy(&mut stream.take(half as u64), &mut io::sink()).map(drop)
    }

    /// The body of this answer to `request`.
    pub(super) fn read_body_of_answer(
        &self,
        request: &Self,
        stream: &mut impl BufRead,
    ) -> io::Result<Vec<u8>> {
        let has_none = request.is_head() || matches!(self.status(), Some(204 | 304));
        if has_none { Ok(Vec::new()) } else { self.read_body(stream) }
    }
}

/// Chunks up to the last one, which is empty.
fn read_chunks(stream: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let start = body.len();
        stream.read_until(b'\n', &mut body)?;
        let line = String::from_utf8_lossy(&body[start..]).into_owned();
        let size = usize::from_str_radix(line.trim(), 16).map_err(io::Error::other)?;
        let end = body.len() + size + 2;
        body.resize(end, 0);
        stream.read_exact(&mut body[end - size - 2..])?;
        if size == 0 {
            return Ok(body);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_follow_one_another_on_a_connection() {
        let mut stream: &[u8] = b"PUT /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcHEAD /b HTTP/1.1\r\n\r\n";
        let put = Head::read(&mut stream).unwrap().unwrap();
        assert_eq!(put.read_body(&mut stream).unwrap(), b"abc");
        let head = Head::read(&mut stream).unwrap().unwrap();
        assert!(head.is_head() && head.read_body(&mut stream).unwrap().is_empty());
        assert!(Head::read(&mut stream).unwrap().is_none());
    }

    #[test]
    fn chunks_are_kept_as_they_are() {
        let body = b"5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n";
        let mut stream = [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".as_slice(), body].concat();
        stream.extend_from_slice(b"HTTP/1.1 204 No Content\r\n\r\n");
        let mut stream = stream.as_slice();
        let answer = Head::read(&mut stream).unwrap().unwrap();
        assert_eq!(answer.read_body(&mut stream).unwrap(), body);
        assert_eq!(Head::read(&mut stream).unwrap().unwrap().status(), Some(204));
    }

    #[test]
    fn copies_and_completions_may_fail_late() {
        let may = |head: &str| Head(head.as_bytes().to_vec()).may_fail_late();
        assert!(may("POST /hub/a?uploadId=1 HTTP/1.1\r\n\r\n"));
        assert!(may("PUT /hub/a HTTP/1.1\r\nx-amz-copy-source: hub/b\r\n\r\n"));
        assert!(!may("POST /hub/a?uploads= HTTP/1.1\r\n\r\n"));
        assert!(!may("PUT /hub/a?partNumber=1&uploadId=1 HTTP/1.1\r\n\r\n"));
    }
}
