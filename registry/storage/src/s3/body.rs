//! The bytes of an object on their way here: a body that breaks off goes on where it broke, if the object is the same.

use std::io;
use std::ops::Range;

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _};
use object_store::aws::AmazonS3;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, GetResult, ObjectStore as _};

use super::attempts::Attempts;
use super::settings::Requests;
use crate::ByteStream;

/// An object that is being read.
struct Reading {
    client: AmazonS3,
    requests: Requests,
    path: Path,
    /// Which content it is; where the server does not tell, nobody can go on.
    tag: Option<String>,
    /// What is missing.
    range: Range<u64>,
    body: BoxStream<'static, object_store::Result<Bytes>>,
    attempts: Attempts,
}

/// The bytes that were found.
pub(super) fn body(client: &AmazonS3, requests: &Requests, path: Path, found: GetResult) -> ByteStream {
    let reading = Reading {
        client: client.clone(),
        requests: requests.clone(),
        path,
        tag: found.meta.e_tag.clone(),
        range: found.range.clone(),
        body: found.into_stream(),
        attempts: Attempts::new(requests),
    };
    stream::try_unfold(reading, |mut reading| async move {
        Ok(reading.next().await?.map(|chunk| (chunk, reading)))
    })
    .boxed()
}

impl Reading {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        while !self.range.is_empty() {
            match self.body.next().await {
                Some(Ok(chunk)) => {
                    self.range.start += chunk.len() as u64;
                    self.attempts = Attempts::new(&self.requests);
                    return Ok(Some(chunk));
                }
                Some(Err(broken)) => self.resume(io::Error::other(broken)).await?,
                None => self.resume(io::ErrorKind::UnexpectedEof.into()).await?,
            }
        }
        Ok(None)
    }

    /// Asks for the rest, unless that is in vain.
    async fn resume(&mut self, broken: io::Error) -> io::Result<()> {
        if self.tag.is_none() || !self.attempts.again().await {
            return Err(broken);
        }
        let options = GetOptions {
            range: Some(GetRange::Bounded(self.range.clone())),
            if_match: self.tag.clone(),
            ..GetOptions::default()
        };
        let found = self.client.get_opts(&self.path, options).await.map_err(io::Error::other)?;
        self.body = found.into_stream();
        Ok(())
    }
}
