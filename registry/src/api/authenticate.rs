//! Who sends a request: Basic credentials are checked once, before anything else is looked at.

use std::sync::{Arc, OnceLock};

use axum::{
    extract::{Request, State},
    http::{
        HeaderMap, HeaderValue, Method, StatusCode, Uri,
        header::{AUTHORIZATION, WWW_AUTHENTICATE},
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
use crate::auth::Identity;

/// Where the log line of a request finds its user; an extension of the request.
#[derive(Clone, Debug, Default)]
pub(super) struct UserSlot(Arc<OnceLock<Identity>>);

impl UserSlot {
    pub(super) fn name(&self) -> &str {
        self.0.get().map_or("-", Identity::name)
    }
}

/// Gives a request its identity, or refuses it. Outside of `/v2/`, nobody is asked.
pub(super) async fn authenticate(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    if is_registry_path(request.uri().path()) {
        match identify(&api, request.method(), request.uri(), request.headers()).await {
            Ok(identity) => {
                if let Some(slot) = request.extensions().get::<UserSlot>() {
                    // Only this function sets it, and only once a request.
                    let _ = slot.0.set(identity.clone());
                }
                request.extensions_mut().insert(identity);
            }
            Err(error) => return error.into_response(),
        }
    }
    next.run(request).await
}

/// Whether the path belongs to the registry protocol.
pub(super) fn is_registry_path(path: &str) -> bool {
    path == "/v2" || path.starts_with("/v2/")
}

async fn identify(api: &Api, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<Identity> {
    let Some(realm) = api.auth.realm() else {
        return Ok(Identity::Anonymous);
    };
    let refuse = |message| {
        let needed = AccessRecord::needed(method, uri);
        let refused = challenge(realm, message);
        if needed.is_empty() { refused } else { refused.with_detail(json!(needed)) }
    };
    let Some((user, password)) = headers.get(AUTHORIZATION).and_then(credentials) else {
        return Err(refuse(ErrorCode::Unauthorized.default_message()));
    };
    let identity = api.auth.authenticate(&user, &password).await;
    identity.ok_or_else(|| refuse("the user name or the password is wrong"))
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
