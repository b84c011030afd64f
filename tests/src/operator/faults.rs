//! What can go wrong between an operator and its API server, chosen by a seed.

use fastrand::Rng;
use http::{Method, Request};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A write is refused, because somebody else was faster.
    Conflict,
    /// The server has too much to do.
    TooManyRequests,
    /// The server fails.
    ServerError,
    /// A write is carried out, and the answer to it is lost.
    LostAnswer,
    /// A watch is told that it asks for a time long gone.
    Gone,
    /// A watch ends in the middle, after this time.
    CutWatch(Duration),
    /// Everything takes longer.
    Latency(Duration),
}

/// Chooses faults, and counts them.
#[derive(Debug)]
pub struct Faults {
    choices: Mutex<Rng>,
    counts: Mutex<BTreeMap<&'static str, usize>>,
}

impl Faults {
    /// The faults that these choices lead to.
    pub fn new(choices: Rng) -> Self {
        Self { choices: Mutex::new(choices), counts: Mutex::default() }
    }

    /// What happens to a request, if anything does. About one request of eight is spoilt or late, and every watch ends sooner or later.
    pub fn choose<B>(&self, request: &Request<B>) -> Option<Fault> {
        let mut choices = self.choices.lock().unwrap_or_else(PoisonError::into_inner);
        let fault = if is_watch(request) {
            Some(of_a_watch(&mut choices))
        } else {
            of_a_request(request, &mut choices)
        };
        if let Some(fault) = fault {
            *self.counts.lock().unwrap_or_else(PoisonError::into_inner).entry(fault.word()).or_default() += 1;
        }
        fault
    }
}

impl Fault {
    fn word(self) -> &'static str {
        match self {
            Self::Conflict => "409",
            Self::TooManyRequests => "429",
            Self::ServerError => "500",
            Self::LostAnswer => "lost answers",
            Self::Gone => "410",
            Self::CutWatch(_) => "cut watches",
            Self::Latency(_) => "late",
        }
    }
}

/// How often each has happened.
impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let words: Vec<_> = counts.iter().map(|(word, count)| format!("{count} {word}")).collect();
        f.write_str(&words.join(", "))
    }
}

/// Whether the answer to a request goes on for as long as the client listens.
fn is_watch<B>(request: &Request<B>) -> bool {
    request.uri().query().is_some_and(|query| query.split('&').any(|pair| pair == "watch=true"))
}

fn of_a_watch(choices: &mut Rng) -> Fault {
    match choices.u32(..100) {
        0..10 => Fault::Gone,
        10..15 => Fault::ServerError,
        _ => Fault::CutWatch(Duration::from_millis(choices.u64(200..10_000))),
    }
}

fn of_a_request<B>(request: &Request<B>, choices: &mut Rng) -> Option<Fault> {
    let writes = request.method() != Method::GET;
    match choices.u32(..1000) {
        0..40 if writes => Some(Fault::Conflict),
        40..80 if writes => Some(Fault::LostAnswer),
        80..100 => Some(Fault::TooManyRequests),
        100..120 => Some(Fault::ServerError),
        120..180 => Some(Fault::Latency(Duration::from_millis(choices.u64(50..2_000)))),
        _ => None,
    }
}
