//! HTTP/1.1 and HTTP/2: which of them a connection speaks, and how much each may take.
//!
//! Against floods, hyper and h2 bring their own limits, which are left at their defaults: 20 streams that a client
//! opens and resets before they were accepted (CVE-2023-44487), 1024 streams that are reset for the client's
//! mistakes, CONTINUATION frames in proportion to the longest head, and control frames only as fast as their answers
//! are taken. Beyond them the connection ends with GOAWAY and `ENHANCE_YOUR_CALM`.

use std::time::Duration;

use hyper_util::{
    rt::{TokioExecutor, TokioTimer},
    server::conn::auto,
};

/// The longest head of an HTTP/1.1 request, in bytes. So much of a body is read at once, too.
const READ_BUFFER: usize = 256 << 10;

/// The longest head of an HTTP/2 request, in bytes as HPACK counts them.
const HEADER_LIST: u32 = 64 << 10;

/// How many requests an HTTP/2 client may have in flight on one connection.
const STREAMS: u32 = 200;

/// How much of a body an HTTP/2 client may send ahead: enough for a fast line, and bounded in memory.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;

/// How often an HTTP/2 client is asked whether it is still there, and how long it may take to answer.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_LIMIT: Duration = Duration::from_secs(20);

type Builder = auto::Builder<TokioExecutor>;

/// What serves connections, for each way in which they may begin.
#[derive(Debug)]
pub(super) struct Protocols {
    http1: Builder,
    http2: Builder,
    /// Plain connections: HTTP/1.1, or whatever the client begins with.
    plain: Builder,
}

impl Protocols {
    /// With `h2c`, HTTP/2 is spoken without TLS to clients that begin with it. `Upgrade: h2c` is never taken up, which
    /// leaves such a client with HTTP/1.1.
    pub(super) fn new(h2c: bool) -> Self {
        let either = either();
        let http1 = either.clone().http1_only();
        let plain = if h2c { either.clone() } else { http1.clone() };
        Self { http1, http2: either.http2_only(), plain }
    }

    /// Of a connection without TLS.
    pub(super) fn of_plain(&self) -> &Builder {
        &self.plain
    }

    /// Of a connection whose TLS handshake has agreed on HTTP/2, or has not.
    pub(super) fn of_tls(&self, http2: bool) -> &Builder {
        if http2 { &self.http2 } else { &self.http1 }
    }
}

fn either() -> Builder {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        // A head that does not come leaves the connection idle, which ends it; a timer for each head would cost more than to read it.
        .header_read_timeout(None)
        .max_buf_size(READ_BUFFER)
        // Scripts look for `Docker-Content-Digest` as registries have always written it.
        .title_case_headers(true);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_LIMIT)
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEADER_LIST)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW);
    builder
}
