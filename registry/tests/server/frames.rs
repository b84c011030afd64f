//! HTTP/2 by hand, frame by frame, for what a well-behaved client does not do (RFC 9113, section 4).

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    fixture::{Running, Setup},
    raw::{Raw, digest_of},
};

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GO_AWAY: u8 = 7;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

const REFUSED_STREAM: u32 = 7;
const ENHANCE_YOUR_CALM: u32 = 11;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The head of a request, as HPACK writes it without compression (RFC 7541, section 6.2.2).
fn head(method: &str, path: &str) -> Vec<u8> {
    // `:scheme: http` is in the table; of the others, the names are.
    let literal = |name: u8, value: &str| {
        let length = u8::try_from(value.len()).unwrap();
        assert!(length < 127, "longer values have longer lengths");
        [&[name, length], value.as_bytes()].concat()
    };
    [vec![0x86], literal(2, method), literal(4, path), literal(1, "localhost")].concat()
}

/// A client that has begun to speak HTTP/2.
async fn begin(stream: TcpStream) -> Raw<TcpStream> {
    let mut raw = Raw::new(stream);
    raw.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    raw.send(frame(SETTINGS, 0, 0, &[])).await;
    raw
}

/// Waits for a frame of this kind and returns the error code in it; `None` if the connection ends before.
async fn error_of(stream: &mut (impl AsyncRead + Unpin), wanted: u8) -> Option<u32> {
    loop {
        let mut header = [0; 9];
        stream.read_exact(&mut header).await.ok()?;
        let length = u32::from_be_bytes([0, header[0], header[1], header[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        stream.read_exact(&mut payload).await.ok()?;
        if header[3] == wanted {
            let code = if wanted == GO_AWAY { &payload[4..8] } else { &payload[..4] };
            return Some(u32::from_be_bytes(code.try_into().unwrap()));
        }
    }
}

async fn h2c() -> Running {
    let mut setup = Setup::new();
    setup.config.http.h2c = true;
    setup.start().await
}

#[tokio::test]
async fn a_client_that_opens_and_resets_streams_without_end_is_sent_away() {
    let server = h2c().await;
    let mut raw = begin(server.connect().await).await;
    let (mut reader, mut writer) = raw.stream.split();
    // It ends, because the server closes the connection.
    let flood = async {
        let head = head("GET", "/v2/");
        for stream in (1..).step_by(2) {
            let request = frame(HEADERS, END_HEADERS | END_STREAM, stream, &head);
            let reset = frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes());
            if writer.write_all(&[request, reset].concat()).await.is_err() {
                break;
            }
        }
    };
    // What the server has said may be lost when it closes a connection on which more is coming.
    let (code, ()) = tokio::join!(error_of(&mut reader, GO_AWAY), flood);
    assert!(code.is_none_or(|code| code == ENHANCE_YOUR_CALM), "{code:?}");
}

#[tokio::test]
async fn streams_beyond_the_limit_are_refused() {
    let server = h2c().await;
    let mut raw = begin(server.connect().await).await;
    let push = head("POST", &format!("/v2/a/blobs/uploads/?digest={}", digest_of(b"")));
    for stream in (1..=2 * 201).step_by(2) {
        raw.send(frame(HEADERS, END_HEADERS, stream, &push)).await;
    }
    assert_eq!(error_of(&mut raw.stream, RST_STREAM).await, Some(REFUSED_STREAM));
}
