//! One of the connections of the load: it sends a request, passes over the answer, and says when that is over.

use super::answer::Head;
use super::chunks::Chunks;
use super::request::Request;
use super::stream::{Stream, Trust};
use anyhow::{Context, Result, bail, ensure};
use std::time::Instant;

/// How long a head may be.
const LONGEST_HEAD: usize = 16 << 10;

/// A connection with a request on its way.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) stream: Stream,
    head: Vec<u8>,
    filled: usize,
    body: Body,
    /// The operation that it is at, and the request of that.
    pub(super) operation: usize,
    pub(super) step: usize,
    pub(super) started: Instant,
}

/// What is still to come.
#[derive(Debug, Clone, Copy)]
enum Body {
    Unknown,
    Length(u64),
    Chunks(Chunks),
}

/// What an event has brought.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Progress {
    pub(super) bytes: u64,
    pub(super) is_over: bool,
}

impl Connection {
    pub(super) fn open(port: u16, trust: Option<&Trust>) -> Result<Self> {
        let stream = Stream::connect(port, trust)?;
        let (head, started) = (vec![0; LONGEST_HEAD], Instant::now());
        Ok(Self { stream, head, filled: 0, body: Body::Unknown, operation: 0, step: 0, started })
    }

    pub(super) fn send(&mut self, request: &Request) -> Result<()> {
        (self.filled, self.body) = (0, Body::Unknown);
        self.stream.send(&request.bytes).with_context(|| request.line())
    }

    /// Reads once. `None` when nothing was there.
    pub(super) fn read(&mut self, request: &Request, scratch: &mut [u8]) -> Result<Option<Progress>> {
        let read = match self.body {
            Body::Unknown => self.read_head(request),
            Body::Length(left) => self.read_body(left, scratch),
            Body::Chunks(chunks) => self.read_chunks(chunks, scratch),
        };
        read.with_context(|| request.line())
    }

    fn read_head(&mut self, request: &Request) -> Result<Option<Progress>> {
        ensure!(self.filled < self.head.len(), "the head of the answer is too long");
        let Some(length) = self.stream.receive(&mut self.head[self.filled..])? else { return Ok(None) };
        self.filled += length;
        let Some(head) = Head::parse(&self.head[..self.filled])? else {
            return Ok(Some(Progress::default()));
        };
        if head.status != request.status {
            bail!("{} was answered: {}", head.status, String::from_utf8_lossy(&self.head[..self.filled]));
        }
        let begun = &self.head[head.length..self.filled];
        self.body = match head.body {
            _ if !request.has_body => Body::Length(0),
            Some(length) => Body::Length(length.saturating_sub(begun.len() as u64)),
            None => {
                let mut chunks = Chunks::START;
                chunks.pass(begun);
                Body::Chunks(chunks)
            }
        };
        Ok(Some(self.progress(begun.len())))
    }

    fn read_body(&mut self, left: u64, scratch: &mut [u8]) -> Result<Option<Progress>> {
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(scratch.len());
        let Some(length) = self.stream.discard(&mut scratch[..most])? else { return Ok(None) };
        self.body = Body::Length(left - length as u64);
        Ok(Some(self.progress(length)))
    }

    fn read_chunks(&mut self, mut chunks: Chunks, scratch: &mut [u8]) -> Result<Option<Progress>> {
        let Some(length) = self.stream.receive(scratch)? else { return Ok(None) };
        chunks.pass(&scratch[..length]);
        self.body = Body::Chunks(chunks);
        Ok(Some(self.progress(length)))
    }

    fn progress(&self, length: usize) -> Progress {
        let is_over = match self.body {
            Body::Unknown => false,
            Body::Length(left) => left == 0,
            Body::Chunks(chunks) => chunks.is_over(),
        };
        Progress { bytes: length as u64, is_over }
    }
}
