//! Health checks, as configured (`health`): what must be well for this server to say that it is.

use std::{path::PathBuf, time::Duration};

use hyper::{
    StatusCode, Uri,
    header::{HeaderName, HeaderValue},
};

use super::Address;

/// All checks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// That the storage answers; `None` when it is not checked.
    pub storage: Option<Pace>,
    /// Files whose existence takes the server out of service.
    pub files: Vec<FileCheck>,
    /// Addresses that must answer over HTTP.
    pub http: Vec<HttpCheck>,
    /// Addresses that must take connections.
    pub tcp: Vec<TcpCheck>,
}

/// How often a check is made, and how often in a row it may fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The time between two checks.
    pub interval: Duration,
    /// So many failures in a row make the server unhealthy.
    pub threshold: u32,
}

/// A file that an operator makes to take the server out of service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileCheck {
    /// The file.
    pub path: PathBuf,
    /// The time between two looks.
    pub interval: Duration,
}

/// An address that must answer a HEAD request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpCheck {
    /// The address.
    pub uri: Uri,
    /// What the request carries.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The answer that is expected.
    pub status: StatusCode,
    /// How long to wait for it.
    pub timeout: Duration,
    /// How often, and how many failures count.
    pub pace: Pace,
}

/// An address that must take connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpCheck {
    /// The address.
    pub address: Address,
    /// How long to wait for a connection.
    pub timeout: Duration,
    /// How often, and how many failures count.
    pub pace: Pace,
}
