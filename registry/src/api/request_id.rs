//! The id of a request, under which the log tells of it.

use std::{
    fmt,
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use axum::http::{HeaderMap, HeaderValue};

use super::respond::REQUEST_ID;

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

    /// The value of its header.
    pub(super) fn value(&self) -> HeaderValue {
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
