//! Requests to an endpoint. What becomes of their events is decided elsewhere.

use bytes::Bytes;
use hyper::{
    HeaderMap, Method, Request, StatusCode, Uri,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, USER_AGENT},
    http::uri::{Authority, PathAndQuery},
};
use percent_encoding::percent_decode_str;

use super::{envelope, event::Event};
use crate::{
    config::Endpoint,
    http_client::{self, Client},
};

/// Why events were not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("it answers {0}")]
    Status(StatusCode),
    #[error(transparent)]
    Exchange(#[from] http_client::Error),
    #[error("the events cannot be written as JSON")]
    Envelope(#[from] serde_json::Error),
}

/// Posts envelopes to an endpoint.
#[derive(Debug)]
pub(super) struct Sender {
    client: Client,
    path: Uri,
    headers: HeaderMap,
}

impl Sender {
    /// Prepares requests as the endpoint is configured. A user in the URL is sent as Basic credentials, unless
    /// `Authorization` is configured as well.
    pub(super) fn new(endpoint: &Endpoint) -> Result<Self, http_client::Error> {
        let headers = headers(endpoint);
        let (address, user) = split_user(&endpoint.url);
        let client = Client::new(&address, None)?.with_time_limit(endpoint.timeout);
        let client = match user.filter(|_| !headers.contains_key(AUTHORIZATION)) {
            Some((user, password)) => client.with_credentials(&user, &password)?,
            None => client,
        };
        let path = address.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
        Ok(Self { client, path: path.into(), headers })
    }

    /// Sends the events in one envelope, and returns the status of the answer.
    pub(super) async fn send<'a>(
        &mut self,
        events: impl Iterator<Item = &'a Event>,
    ) -> Result<StatusCode, Error> {
        let mut request = Request::new(envelope::seal(events)?);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.path.clone();
        *request.headers_mut() = self.headers.clone();
        let request: Request<Bytes> = request;
        Ok(self.client.send(request).await?.status)
    }
}

/// What each request carries. None of it is shown, whoever prints it: it may be secret.
fn headers(endpoint: &Endpoint) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers
        .insert(USER_AGENT, HeaderValue::from_static(concat!("berth-registry/", env!("CARGO_PKG_VERSION"))));
    for (name, _) in &endpoint.headers {
        headers.remove(name);
    }
    for (name, value) in &endpoint.headers {
        let mut value = value.clone();
        value.set_sensitive(true);
        headers.append(name, value);
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(envelope::MEDIA_TYPE));
    headers
}

/// Takes `user:password@` out of a URL: it belongs into a header, and never into a message.
fn split_user(url: &Uri) -> (Uri, Option<(String, String)>) {
    let userless = || {
        let (user, server) = url.authority()?.as_str().rsplit_once('@')?;
        let mut parts = url.clone().into_parts();
        parts.authority = Some(server.parse::<Authority>().ok()?);
        Some((Uri::from_parts(parts).ok()?, credentials(user)))
    };
    userless().map_or_else(|| (url.clone(), None), |(url, user)| (url, Some(user)))
}

fn credentials(text: &str) -> (String, String) {
    let decode = |text| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    (decode(user), decode(password))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_taken_out_of_the_url() {
        let (url, user) = split_user(&Uri::from_static("https://al%20ice:p%40ss@example.com:8443/a?b=c"));
        assert_eq!(url.to_string(), "https://example.com:8443/a?b=c");
        assert_eq!(user, Some(("al ice".to_owned(), "p@ss".to_owned())));
        let (url, user) = split_user(&Uri::from_static("http://example.com/"));
        assert_eq!((url.to_string().as_str(), user), ("http://example.com/", None));
    }
}
