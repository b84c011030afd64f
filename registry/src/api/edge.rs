//! What every answer carries: the id of its request, the configured headers, the version of the protocol; and the
//! bodies of failures, which name the id so that a user's report leads to the line of the log.

use std::{
    error::Error as StdError,
    fmt,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{
    Json,
    http::{HeaderMap, HeaderName, HeaderValue, Request, header::ALLOW},
    response::{IntoResponse, Response},
};
use berth_oci::ErrorBody;
use serde_json::json;

use super::{
    authenticate::is_registry_path,
    error::Error,
    exchange::Exchange,
    prefix,
    respond::{API_VERSION, REQUEST_ID},
};

/// The id of a request. It is written when somebody wants to read it.
#[derive(Clone, Debug)]
pub(super) enum RequestId {
    Given(HeaderValue),
    /// The number of the request in this process.
    New(u64),
}

impl RequestId {
    /// The one that a proxy has given, if it is short and plain, or a new one.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let given = headers.get(REQUEST_ID).filter(|id| id.to_str().is_ok_and(is_plain));
        given.cloned().map_or_else(Self::new, Self::Given)
    }

    fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        Self::New(COUNT.fetch_add(1, Ordering::Relaxed))
    }

    fn value(&self) -> HeaderValue {
        match self {
            Self::Given(id) => id.clone(),
            Self::New(number) => new_id(*number),
        }
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.value().to_str().unwrap_or_default())
    }
}

fn is_plain(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

/// Unique among the processes of a registry, as far as they have not started in the same microsecond.
fn new_id(number: u64) -> HeaderValue {
    static PROCESS: LazyLock<String> = LazyLock::new(|| {
        let started = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros());
        format!("{started:x}-")
    });
    let mut id = [0; 40];
    let length = write_id(&mut id, PROCESS.as_bytes(), number);
    HeaderValue::from_bytes(&id[..length]).unwrap_or(HeaderValue::from_static("-"))
}

/// Writes the name of the process and the number of the request, in hexadecimal digits, and returns how long that is. Every
/// request needs one, and a formatter would take as long as the rest of its beginning.
fn write_id(id: &mut [u8; 40], process: &[u8], number: u64) -> usize {
    let digits = (u64::BITS - number.leading_zeros()).div_ceil(4).max(1) as usize;
    let (name, places) = id.split_at_mut(process.len());
    name.copy_from_slice(process);
    let mut rest = number;
    for place in places[..digits].iter_mut().rev() {
        *place = b"0123456789abcdef"[(rest & 15) as usize];
        rest >>= 4;
    }
    process.len() + digits
}

/// What the answer to a request carries, whatever it is.
#[derive(Debug)]
pub(super) struct Edge {
    /// The path belongs to the registry protocol.
    of_registry: bool,
    origin: Option<HeaderValue>,
}

impl Edge {
    /// For the answer to this request.
    pub(super) fn of<B>(exchange: &Exchange, request: &Request<B>) -> Self {
        let path = prefix::below(&exchange.answers.prefix, request.uri().path());
        let origin = exchange.answers.cors.origin_of(request.headers()).cloned();
        Self { of_registry: path.is_some_and(is_registry_path), origin }
    }

    /// Finishes an answer.
    pub(super) fn finish(&self, exchange: &Exchange, mut response: Response) -> Response {
        if let Some(error) = response.extensions_mut().remove::<Arc<Error>>() {
            report(&error, exchange.id());
            response = render(&error, exchange.id(), response.headers());
        }
        let (headers, answers) = (response.headers_mut(), &exchange.answers);
        for (name, value) in &answers.headers {
            headers.append(name, value.clone());
        }
        answers.cors.permit(self.origin.as_ref(), headers);
        if self.of_registry {
            put(headers, API_VERSION.0, API_VERSION.1);
        }
        put(headers, REQUEST_ID, exchange.id().value());
        response
    }
}

/// Puts a header into an answer. Where it is already, as in an answer that is ready, a look at the few there are finds it sooner
/// than its hash.
fn put(headers: &mut HeaderMap, name: HeaderName, value: HeaderValue) {
    match headers.iter_mut().find(|(there, _)| **there == name) {
        Some((_, there)) => *there = value,
        None => drop(headers.insert(name, value)),
    }
}

/// Tells the log, once, what the client is not told.
fn report(error: &Error, id: &RequestId) {
    if let Some(cause) = &error.cause {
        let cause: &(dyn StdError + 'static) = &**cause;
        tracing::error!(request_id = id.to_string(), error = cause, "a request failed");
    }
}

fn render(error: &Error, id: &RequestId, headers: &HeaderMap) -> Response {
    let detail = match &error.detail {
        None if error.status.is_server_error() => Some(json!({ "requestId": id.to_string() })),
        detail => detail.clone(),
    };
    let body = ErrorBody::new(error.code, error.message.clone(), detail);
    let mut response = Json(body).into_response();
    *response.status_mut() = error.status;
    // Only a method that a path does not have brings a header along: those that it has.
    if let Some(allowed) = headers.get(ALLOW) {
        response.headers_mut().insert(ALLOW, allowed.clone());
    }
    if let Some(header) = &error.header {
        let (name, value) = (**header).clone();
        response.headers_mut().insert(name, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_of_a_proxy_is_kept_if_it_is_plain() {
        let of = |id: &'static str| {
            RequestId::of(&HeaderMap::from_iter([(REQUEST_ID, HeaderValue::from_static(id))])).to_string()
        };
        assert_eq!(of("abc-123"), "abc-123");
        assert_ne!(of("a b"), "a b");
        assert_ne!(RequestId::new().to_string(), RequestId::new().to_string());
    }

    #[test]
    fn an_id_counts_in_hexadecimal_digits() {
        for number in [0, 9, 0xf, 0x10, 0xabc, u64::MAX] {
            let mut id = [0; 40];
            let length = write_id(&mut id, b"1234567890123-", number);
            assert_eq!(id[..length], *format!("1234567890123-{number:x}").as_bytes());
        }
    }
}
