//! What the refusal of another registry means.

use std::time::Duration;

use bytes::BytesMut;
use futures::TryStreamExt as _;
use hyper::{Response, StatusCode, body::Incoming, http::uri::Authority};
use jiff::Timestamp;
use serde::{Deserialize, de::DeserializeOwned};

use super::{Error, Result, rate_limit::retry_after, silence::pieces};

/// How much of a refusal is read.
const LONGEST_REFUSAL: usize = 16 * 1024;

/// How many characters of it are told.
const LONGEST_QUOTE: usize = 200;

/// The longest document that is read: a list of a thousand names of 255 bytes takes a quarter of that.
const LONGEST_DOCUMENT: usize = 4 * 1024 * 1024;

/// The failure that an answer stands for, in which `what` was asked for.
pub(super) async fn of(
    server: Authority,
    answer: Response<Incoming>,
    what: &str,
    silence: Duration,
) -> Error {
    let (head, body) = answer.into_parts();
    // Also read when nothing is told of it, so that the connection can be used again.
    let body = read_at_most(body, LONGEST_REFUSAL, silence).await.unwrap_or_default();
    match head.status {
        StatusCode::NOT_FOUND => Error::NotFound { server, what: what.to_owned() },
        StatusCode::UNAUTHORIZED => Error::Unauthorized { server, said: quote(&body) },
        StatusCode::FORBIDDEN => Error::Denied { server, said: quote(&body) },
        StatusCode::TOO_MANY_REQUESTS => {
            Error::RateLimited { server, retry_after: retry_after(&head.headers, Timestamp::now()) }
        }
        status if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT => {
            let reason = with_quote(format!("has trouble of its own ({status})"), &body);
            Error::Unavailable { server, reason, source: None }
        }
        status => {
            let reason = with_quote(format!("{status} to the request for {what}"), &body);
            Error::Invalid { server, reason }
        }
    }
}

/// The document in an answer.
pub(super) async fn read_document<T: DeserializeOwned>(
    server: Authority,
    answer: Response<Incoming>,
    silence: Duration,
) -> Result<T> {
    let body = read_whole(&server, answer.into_body(), LONGEST_DOCUMENT, silence).await?;
    serde_json::from_slice(&body)
        .map_err(|error| Error::Invalid { server, reason: format!("its document cannot be read: {error}") })
}

/// A whole body, which must not have more than `most` bytes.
pub(super) async fn read_whole(
    server: &Authority,
    body: Incoming,
    most: usize,
    silence: Duration,
) -> Result<bytes::Bytes> {
    let broken = |error: std::io::Error| Error::Unavailable {
        server: server.clone(),
        reason: "broke its answer off".to_owned(),
        source: Some(std::sync::Arc::new(error)),
    };
    let (mut whole, mut pieces) = (BytesMut::new(), pieces(body, silence));
    while let Some(piece) = pieces.try_next().await.map_err(broken)? {
        if whole.len() + piece.len() > most {
            let reason = format!("its answer has more than {most} bytes");
            return Err(Error::Invalid { server: server.clone(), reason });
        }
        whole.extend_from_slice(&piece);
    }
    Ok(whole.freeze())
}

/// Reads what nobody wants to know, so that the connection can be used again.
pub(super) async fn drain(answer: Response<Incoming>, silence: Duration) {
    let _unwanted = read_at_most(answer.into_body(), LONGEST_REFUSAL, silence).await;
}

async fn read_at_most(body: Incoming, most: usize, silence: Duration) -> std::io::Result<BytesMut> {
    let (mut whole, mut pieces) = (BytesMut::new(), pieces(body, silence));
    while let Some(piece) = pieces.try_next().await? {
        whole.extend_from_slice(&piece[..piece.len().min(most - whole.len())]);
        if whole.len() == most {
            break;
        }
    }
    Ok(whole)
}

#[derive(Deserialize)]
struct Refusal {
    errors: Vec<Said>,
}

#[derive(Deserialize)]
struct Said {
    code: Option<String>,
    message: Option<String>,
}

fn with_quote(reason: String, body: &[u8]) -> String {
    let quote = quote(body);
    if quote.is_empty() { reason } else { format!("{reason}: {quote}") }
}

/// What a registry says by the specification, on one line. Pages of proxies are left out.
fn quote(body: &[u8]) -> String {
    let Ok(refusal) = serde_json::from_slice::<Refusal>(body) else { return String::new() };
    let said = refusal.errors.into_iter().filter_map(|said| said.message.or(said.code));
    let line = said.collect::<Vec<_>>().join(", ");
    line.chars().filter(|character| !character.is_control()).take(LONGEST_QUOTE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_messages_of_a_registry_are_told_on_one_line() {
        let body = br#"{"errors":[{"code":"DENIED","message":"read\u0000-only"},{"code":"UNKNOWN"}]}"#;
        assert_eq!(quote(body), "read-only, UNKNOWN");
        assert_eq!(quote(b"<html>"), "");
    }
}
