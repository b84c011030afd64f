//! Who sends a request: Basic credentials are checked once, before anything else is looked at.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use axum::{
    extract::{Request, State},
    http::{
        HeaderValue, StatusCode,
        header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE},
        request::Parts,
    },
    middleware::Next,
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use berth_oci::ErrorCode;
use serde_json::json;

use super::{
    Api,
    access_record::AccessRecord,
    error::{Error, Result},
};
use crate::{
    auth::{Identity, Refusal},
    server::Peer,
};

/// Where the log line of a request finds its user; an extension of the request.
#[derive(Clone, Debug, Default)]
pub(super) struct UserSlot(Arc<OnceLock<Identity>>);

impl UserSlot {
    pub(super) fn name(&self) -> &str {
        self.0.get().map_or("-", Identity::name)
    }

    /// Whether the user has shown who it is.
    pub(super) fn is_authenticated(&self) -> bool {
        self.identified().is_some()
    }

    /// The user, if there is one.
    pub(super) fn identified(&self) -> Option<&str> {
        match self.0.get()? {
            Identity::User(name) => Some(name),
            Identity::Anonymous => None,
        }
    }
}

/// Gives a request its identity, or refuses it. Outside of `/v2/`, nobody is asked.
pub(super) async fn authenticate(State(api): State<Api>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    if is_registry_path(parts.uri.path()) {
        match identify(&api, &parts).await {
            Ok(identity) => {
                if let Some(slot) = parts.extensions.get::<UserSlot>() {
                    // Only this function sets it, and only once a request.
                    let _ = slot.0.set(identity.clone());
                }
                parts.extensions.insert(identity);
            }
            Err(error) => return error.into_response(),
        }
    }
    next.run(Request::from_parts(parts, body)).await
}

/// Whether the path belongs to the registry protocol.
pub(super) fn is_registry_path(path: &str) -> bool {
    path == "/v2" || path.starts_with("/v2/")
}

async fn identify(api: &Api, request: &Parts) -> Result<Identity> {
    let Some(realm) = api.auth.realm() else {
        return Ok(Identity::Anonymous);
    };
    let refuse = |message| {
        let needed = AccessRecord::needed(&request.method, &request.uri);
        let refused = challenge(realm, message);
        if needed.is_empty() { refused } else { refused.with_detail(json!(needed)) }
    };
    let Some((user, password)) = request.headers.get(AUTHORIZATION).and_then(credentials) else {
        return Err(refuse(ErrorCode::Unauthorized.default_message()));
    };
    let address = request.extensions.get::<Peer>().and_then(|peer| peer.address.ip());
    let identity = api.auth.authenticate(&user, &password, address).await;
    identity.map_err(|refusal| match refusal {
        Refusal::Wrong => refuse("the user name or the password is wrong"),
        Refusal::TooManyAttempts { retry_after } => too_many_attempts(retry_after),
    })
}

/// Says to a client that guesses, or stands beside one, when it may come back.
fn too_many_attempts(retry_after: Duration) -> Error {
    let seconds = retry_after.as_secs().saturating_add(1);
    let told = format!("too many wrong passwords came from there: try again in {seconds} s");
    Error::new(StatusCode::TOO_MANY_REQUESTS, ErrorCode::TooManyRequests, told)
        .with_header(RETRY_AFTER, HeaderValue::from(seconds))
}

/// Reads `Basic` and the base64 of `user:password`.
fn credentials(header: &HeaderValue) -> Option<(String, String)> {
    let (scheme, encoded) = header.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

fn challenge(realm: &str, message: &str) -> Error {
    let escaped = realm.replace('\\', "\\\\").replace('"', "\\\"");
    let challenge = HeaderValue::from_str(&format!("Basic realm=\"{escaped}\""))
        .unwrap_or(HeaderValue::from_static("Basic realm=\"Registry\""));
    Error::new(StatusCode::UNAUTHORIZED, ErrorCode::Unauthorized, message)
        .with_header(WWW_AUTHENTICATE, challenge)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_may_contain_colons() {
        let header = HeaderValue::from_str(&format!("basic {}", STANDARD.encode("bob:a:b"))).unwrap();
        assert_eq!(credentials(&header), Some(("bob".to_owned(), "a:b".to_owned())));
    }

    #[test]
    fn other_schemes_and_broken_credentials_are_no_credentials() {
        for header in ["Bearer abc", "Basic", "Basic %%%", "Basic Ym9i"] {
            assert_eq!(credentials(&HeaderValue::from_static(header)), None, "{header}");
        }
    }
}
