//! The requests that the operator sent, as the test process sees them go out.

use std::sync::{Mutex, PoisonError};

/// Every request so far.
static SENT: Mutex<Vec<Request>> = Mutex::new(Vec::new());

/// A request by method and path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
}

impl Request {
    /// Whether it asks the API server to change something.
    pub(crate) fn is_write(&self) -> bool {
        self.method != "GET"
    }
}

/// Takes note of a request.
pub(crate) fn note(method: &str, path: &str) {
    let request = Request { method: method.to_owned(), path: path.to_owned() };
    SENT.lock().unwrap_or_else(PoisonError::into_inner).push(request);
}

/// The requests so far that concern a namespace.
pub(crate) fn within(namespace: &str) -> Vec<Request> {
    let part = format!("/namespaces/{namespace}/");
    let sent = SENT.lock().unwrap_or_else(PoisonError::into_inner);
    sent.iter().filter(|request| request.path.contains(&part)).cloned().collect()
}
