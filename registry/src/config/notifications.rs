//! Notifications of pushes, pulls and deletions, as configured (`notifications`).

use std::{fmt, time::Duration};

use hyper::{
    Uri,
    header::{HeaderName, HeaderValue},
};

/// Who is told, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notifications {
    /// Whether the event of a manifest lists what the manifest refers to.
    pub include_references: bool,
    /// Who is told. Endpoints that are disabled are left out.
    pub endpoints: Vec<Endpoint>,
}

/// A server that is told of events.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its name in logs, in metrics and in the storage.
    pub name: String,
    /// Where events are posted to.
    pub url: Uri,
    /// What each request carries, such as `Authorization`.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// How long to wait for an answer.
    pub timeout: Duration,
    /// After so many failures in a row, attempts are made at the pace of `backoff`.
    pub threshold: u32,
    /// How long to wait after a failure.
    pub backoff: Duration,
    /// Media types of which the endpoint is not told.
    pub ignored_media_types: Vec<String>,
    /// Actions of which the endpoint is not told: `pull`, `push`, `mount`, `delete`.
    pub ignored_actions: Vec<String>,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Its headers, and a user in its URL, may be secret.
        f.debug_struct("Endpoint").field("name", &self.name).finish_non_exhaustive()
    }
}
