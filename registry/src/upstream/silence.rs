//! Bodies on their way, of which none may be silent for long.

use std::{io, pin::Pin, sync::Arc, time::Duration};

use berth_storage::ByteStream;
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::{sync::Notify, time::timeout};

/// The same stream, which tells whenever a piece of it is taken.
pub(super) fn watched(body: ByteStream, moved: Arc<Notify>) -> ByteStream {
    body.inspect(move |_| moved.notify_one()).boxed()
}

/// The bytes of an answer, which end with an error when no more come for `limit`.
pub(super) fn pieces(body: Incoming, limit: Duration) -> ByteStream {
    let pieces = stream::try_unfold(body, move |mut body| async move {
        loop {
            let frame = timeout(limit, Pin::new(&mut body).frame()).await;
            let Some(frame) = frame.map_err(|_| silent(limit))? else { return Ok(None) };
            let frame = frame.map_err(|error| io::Error::new(io::ErrorKind::ConnectionAborted, error))?;
            if let Ok(piece) = frame.into_data() {
                return io::Result::Ok(Some((piece, body)));
            }
        }
    });
    pieces.boxed()
}

/// The same stream without its first `bytes`.
pub(super) fn without_first(body: ByteStream, bytes: u64) -> ByteStream {
    let pieces = body.scan(bytes, |ahead, piece| {
        let rest = piece.map(|mut piece| {
            let skipped = piece.len().min(usize::try_from(*ahead).unwrap_or(usize::MAX));
            *ahead -= skipped as u64;
            piece.split_off(skipped)
        });
        futures::future::ready(Some(rest))
    });
    pieces.filter(|piece| futures::future::ready(!piece.as_ref().is_ok_and(Bytes::is_empty))).boxed()
}

fn silent(limit: Duration) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("nothing came for {limit:?}"))
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt as _;

    use super::*;

    #[tokio::test]
    async fn the_beginning_is_left_out_wherever_pieces_end() {
        for skipped in 0..=6 {
            let body = stream::iter([&b"ab"[..], b"cde", b"f"].map(|piece| Ok(Bytes::from(piece)))).boxed();
            let rest: Vec<Bytes> = without_first(body, skipped).try_collect().await.unwrap();
            assert_eq!(rest.concat(), b"abcdef"[usize::try_from(skipped).unwrap()..]);
        }
    }
}
