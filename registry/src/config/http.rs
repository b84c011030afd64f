//! The listeners and the outside of answers, as configured.

use std::{fmt, net::Ipv6Addr, path::PathBuf, time::Duration};

use hyper::header::{HeaderName, HeaderValue};
use ring::hmac;
use rustls::CipherSuite;

/// The listener and the answers' outside (`http`).
#[derive(Clone, Debug)]
pub struct Http {
    /// Where to listen.
    pub listen: Listen,
    /// The scheme and authority of `Location` headers, without a slash at the end; `None` takes them from the request.
    pub host: Option<String>,
    /// What the path of every endpoint begins with: nothing, or `/` and words, without a slash at the end.
    pub prefix: String,
    /// Whether `Location` headers leave scheme and authority out.
    pub relative_urls: bool,
    /// What signs the states of uploads (`http.secret`), so that Distribution can go on with an upload of ours.
    pub upload_key: Option<hmac::Key>,
    /// Headers that every answer carries.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The certificate; `None` for plain HTTP.
    pub tls: Option<Tls>,
    /// Whether HTTP/2 is offered on TLS connections.
    pub http2: bool,
    /// Whether HTTP/2 is spoken without TLS to clients that begin with it.
    pub h2c: bool,
    /// How long requests in flight may go on after a signal to stop.
    pub drain_timeout: Duration,
    /// How long after the first signal connections are still accepted.
    pub drain_delay: Duration,
}

/// Where to listen (`http.net` and `http.addr`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// On a TCP port.
    Tcp(Address),
    /// On a Unix socket with this path.
    Unix(PathBuf),
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

/// A host and a port to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// A name or an IP address; `None` for all addresses of IPv4 and IPv6.
    pub host: Option<String>,
    /// The TCP port.
    pub port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Some(host) if host.parse::<Ipv6Addr>().is_ok() => write!(f, "[{host}]:{}", self.port),
            Some(host) => write!(f, "{host}:{}", self.port),
            None => write!(f, ":{}", self.port),
        }
    }
}

/// TLS (`http.tls`). All files are read again when they change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// PEM: the certificate, followed by its intermediates.
    pub certificate: PathBuf,
    /// PEM: the private key.
    pub key: PathBuf,
    /// The oldest protocol version that clients may use.
    pub minimum: TlsVersion,
    /// The cipher suites of TLS 1.2 that are offered; all safe ones when there is none.
    pub cipher_suites: Vec<CipherSuite>,
    /// What is asked of clients' certificates; `None` when none is asked for.
    pub clients: Option<ClientCertificates>,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsVersion {
    /// TLS 1.2.
    Tls12,
    /// TLS 1.3.
    Tls13,
}

/// Certificates of clients (`http.tls.clientcas` and `http.tls.clientauth`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificates {
    /// PEM: the authorities that sign them.
    pub authorities: Vec<PathBuf>,
    /// Who may come in.
    pub demand: ClientDemand,
}

/// What a client has to show, in the words of Go's `tls.ClientAuthType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientDemand {
    /// A certificate is asked for, and neither needed nor verified (`request-client-cert`).
    Request,
    /// Any certificate is needed, and not verified (`require-any-client-cert`).
    RequireAny,
    /// A certificate is verified when the client has one (`verify-client-cert-if-given`).
    VerifyIfGiven,
    /// A certificate is needed and verified (`require-and-verify-client-cert`).
    RequireAndVerify,
}

/// A second listener for metrics and health (`http.debug`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Debug {
    /// Where to listen.
    pub address: Address,
    /// The path of the metrics; `None` when they are off.
    pub metrics_path: Option<String>,
}
