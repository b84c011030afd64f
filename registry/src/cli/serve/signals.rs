//! What the system tells a server by signals: to end, and to look at its files.

use anyhow::Context;
use futures::{Stream, StreamExt, stream};
use tokio::signal::unix::{SignalKind, signal};

/// One item for each signal that asks the server to end.
pub(super) fn ends() -> anyhow::Result<impl Stream<Item = ()>> {
    Ok(stream::select(stream_of(SignalKind::terminate())?, stream_of(SignalKind::interrupt())?))
}

/// One item for each signal that asks the server to read its files again.
pub(super) fn hangups() -> anyhow::Result<impl Stream<Item = ()> + Send> {
    stream_of(SignalKind::hangup())
}

fn stream_of(kind: SignalKind) -> anyhow::Result<stream::BoxStream<'static, ()>> {
    let signal = signal(kind).context("cannot wait for signals")?;
    Ok(stream::unfold(signal, |mut signal| async move { signal.recv().await.map(|()| ((), signal)) }).boxed())
}
