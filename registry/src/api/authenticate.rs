//! Who sends a request: credentials, a password or a token, are checked once, before anything else is looked at.

use std::time::Duration;

use axum::{
    extract::{Request, State},
    http::{
        HeaderValue, StatusCode,
        header::{AUTHORIZATION, RETRY_AFTER},
        request::Parts,
    },
    middleware::Next,
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use berth_oci::ErrorCode;

use super::{
    Api,
    challenge::Challenge,
    error::{Error, Result},
    exchange::Findings,
};
use crate::{
    auth::{Identity, InvalidToken, Refusal},
    server::Peer,
};

/// Gives a request its identity, or refuses it. Outside of `/v2/`, nobody is asked.
pub(super) async fn authenticate(State(api): State<Api>, request: Request, next: Next) -> Response {
    if !is_registry_path(request.uri().path()) {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let identity = match identify(&api, &parts).await {
        Ok(identity) => identity,
        Err(error) => return error.into_response(),
    };
    if let Some(findings) = parts.extensions.get::<Findings>() {
        findings.identify(&identity);
    }
    let challenge = Challenge::to_bearer(&api, &identity, &parts);
    parts.extensions.insert(identity);
    let response = next.run(Request::from_parts(parts, body)).await;
    match challenge {
        Some(challenge) => challenge.complete(response),
        None => response,
    }
}

/// Whether the path belongs to the registry protocol.
pub(super) fn is_registry_path(path: &str) -> bool {
    path == "/v2" || path.starts_with("/v2/")
}

/// Who sends the request, where anybody is asked.
pub(super) async fn identify(api: &Api, request: &Parts) -> Result<Identity> {
    let Some(demand) = api.auth.demand() else { return Ok(Identity::Anonymous) };
    let challenge = || Challenge::of(api, demand, request);
    match request.headers.get(AUTHORIZATION).and_then(Credentials::read) {
        Some(Credentials::Password(user, password)) => {
            let address = request.extensions.get::<Peer>().and_then(|peer| peer.address.ip());
            let identity = api.auth.authenticate(&user, &password, address).await;
            identity.map_err(|refusal| match refusal {
                Refusal::Wrong => challenge().ask("the user name or the password is wrong"),
                Refusal::TooManyAttempts { retry_after } => too_many_attempts(retry_after),
            })
        }
        Some(Credentials::Token(token)) => {
            let identity = api.auth.authenticate_bearer(token);
            identity.map_err(|why| refuse_token(api, request, why))
        }
        None => Err(challenge().ask(ErrorCode::Unauthorized.default_message())),
    }
}

/// The same, as far as it is known without waiting.
pub(super) fn identify_at_once(
    api: &Api,
    request: &Parts,
) -> Option<std::result::Result<Identity, InvalidToken>> {
    if api.auth.demand().is_none() {
        return Some(Ok(Identity::Anonymous));
    }
    let header = request.headers.get(AUTHORIZATION)?;
    // A token is known by more than its bytes, and it is long.
    if is_basic(header)
        && let Some(identity) = api.auth.recognize(header.as_bytes())
    {
        return Some(Ok(identity));
    }
    match Credentials::read(header)? {
        Credentials::Password(user, password) => {
            api.auth.remembered(&user, &password, header.as_bytes()).map(Ok)
        }
        Credentials::Token(token) => Some(api.auth.authenticate_bearer(token)),
    }
}

/// Asks for another token than the one that was sent.
pub(super) fn refuse_token(api: &Api, request: &Parts, why: InvalidToken) -> Error {
    let told = format!("the token is not good: {why}");
    match api.auth.demand() {
        Some(demand) => Challenge::of(api, demand, request).refuse_token(&told),
        None => Error::unauthorized(told),
    }
}

/// Says to a client that guesses, or stands beside one, when it may come back.
pub(super) fn too_many_attempts(retry_after: Duration) -> Error {
    let seconds = retry_after.as_secs().saturating_add(1);
    let told = format!("too many wrong passwords came from there: try again in {seconds} s");
    Error::new(StatusCode::TOO_MANY_REQUESTS, ErrorCode::TooManyRequests, told)
        .with_header(RETRY_AFTER, HeaderValue::from(seconds))
}

fn is_basic(header: &HeaderValue) -> bool {
    header.as_bytes().get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"basic "))
}

/// What a client shows. It cannot be printed.
#[derive(PartialEq, Eq)]
pub(super) enum Credentials<'a> {
    /// A user and a password.
    Password(String, String),
    Token(&'a str),
}

impl<'a> Credentials<'a> {
    /// Reads `Basic` and the base64 of `user:password`, or `Bearer` and a token.
    pub(super) fn read(header: &'a HeaderValue) -> Option<Self> {
        let (scheme, shown) = header.to_str().ok()?.split_once(' ')?;
        let shown = shown.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            return Some(Self::Token(shown));
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let decoded = String::from_utf8(STANDARD.decode(shown).ok()?).ok()?;
        let (user, password) = decoded.split_once(':')?;
        Some(Self::Password(user.to_owned(), password.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_may_contain_colons() {
        let header = HeaderValue::from_str(&format!("basic {}", STANDARD.encode("bob:a:b"))).unwrap();
        let read = Credentials::read(&header);
        assert!(read == Some(Credentials::Password("bob".to_owned(), "a:b".to_owned())));
    }

    #[test]
    fn other_schemes_and_broken_credentials_are_no_credentials() {
        for header in ["Digest abc", "Basic", "Basic %%%", "Basic Ym9i", "Bearer"] {
            assert!(Credentials::read(&HeaderValue::from_static(header)).is_none(), "{header}");
        }
    }
}
