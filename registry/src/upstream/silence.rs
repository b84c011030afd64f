//! A limit on silence: a body may take as long as it takes, as long as it moves.

use std::{
    io,
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use berth_storage::ByteStream;
use bytes::Bytes;
use futures::{
    StreamExt as _,
    future::{Either, select},
    stream,
};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::{sync::Notify, time::timeout};

/// What comes of `work`; `None` when nothing has moved for `limit`.
pub(super) async fn while_it_moves<T>(
    limit: Duration,
    moved: &Notify,
    work: impl Future<Output = T>,
) -> Option<T> {
    let mut work = pin!(work);
    loop {
        match timeout(limit, select(work.as_mut(), pin!(moved.notified()))).await {
            Ok(Either::Left((done, _))) => return Some(done),
            Ok(Either::Right(_)) => {}
            Err(_) => return None,
        }
    }
}

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
    use std::future::pending;

    use futures::TryStreamExt as _;
    use tokio::time::sleep;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn what_moves_may_take_longer_than_the_limit() {
        let moved = Notify::new();
        let work = async {
            for _ in 0..5 {
                sleep(LIMIT / 2).await;
                moved.notify_one();
            }
        };
        assert!(while_it_moves(LIMIT, &moved, work).await.is_some());
        assert!(while_it_moves(LIMIT, &moved, pending::<()>()).await.is_none());
    }

    #[tokio::test]
    async fn the_beginning_is_left_out_wherever_pieces_end() {
        for skipped in 0..=6 {
            let body = stream::iter([&b"ab"[..], b"cde", b"f"].map(|piece| Ok(Bytes::from(piece)))).boxed();
            let rest: Vec<Bytes> = without_first(body, skipped).try_collect().await.unwrap();
            assert_eq!(rest.concat(), b"abcdef"[usize::try_from(skipped).unwrap()..]);
        }
    }
}
