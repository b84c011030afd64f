//! What the log tells of the head of a request.

use axum::http::{
    HeaderValue, Request, Uri, Version,
    header::{REFERER, USER_AGENT},
};

use crate::{api::prefix, server::PeerAddress, telemetry::ACCESS};

/// The head of a request, as far as a line of the log needs it. Texts are made of it when the line is written.
#[derive(Debug)]
pub(in crate::api) struct Told {
    uri: Uri,
    pub(in crate::api) version: Version,
    user_agent: Option<HeaderValue>,
    referer: Option<HeaderValue>,
    pub(in crate::api) remote: PeerAddress,
}

impl Told {
    /// Keeps a head that is going to be told. It would keep the buffer that the head was read into, too, and the next head would
    /// be read into a new one: nothing is kept for a log that nobody writes.
    pub(super) fn of<B>(request: &Request<B>, remote: PeerAddress) -> Option<Box<Self>> {
        tracing::enabled!(target: ACCESS, tracing::Level::INFO).then(|| {
            let headers = request.headers();
            Box::new(Self {
                uri: request.uri().clone(),
                version: request.version(),
                user_agent: headers.get(USER_AGENT).cloned(),
                referer: headers.get(REFERER).cloned(),
                remote,
            })
        })
    }

    /// The path as the client has sent it.
    pub(in crate::api) fn path(&self) -> &str {
        self.uri.path()
    }

    /// The path as it stands in the route table, below this prefix; nothing if it leads nowhere.
    pub(in crate::api) fn route(&self, prefix: &str) -> &str {
        prefix::route(prefix, self.path()).unwrap_or_default()
    }

    /// The query as the client has sent it.
    pub(in crate::api) fn query(&self) -> Option<&str> {
        self.uri.query()
    }

    /// What the client calls itself.
    pub(in crate::api) fn user_agent(&self) -> Option<&str> {
        self.user_agent.as_ref()?.to_str().ok()
    }

    /// The page that has led the client here.
    pub(in crate::api) fn referer(&self) -> Option<&str> {
        self.referer.as_ref()?.to_str().ok()
    }
}
