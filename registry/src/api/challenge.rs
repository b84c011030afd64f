//! What a client without the right credentials is asked for: a password, or a token and where it gets one
//! (RFC 7617, RFC 6750, and the token specification of Distribution).
//!
//! It is one question, never two. docker applies the answers to both, and fails for want of a password where a token for
//! nobody in particular would do; skopeo, crane and oras take the first that they know, and containerd the strongest. So
//! where there are tokens of ours, clients are asked for those, and a password that comes unasked is taken all the same.

use std::sync::Arc;

use axum::{
    http::{
        HeaderValue, Method, Uri,
        header::{AUTHORIZATION, WWW_AUTHENTICATE},
        request::Parts,
    },
    response::{IntoResponse, Response},
};
use berth_oci::ErrorCode;
use hyper::StatusCode;
use serde_json::json;

use super::{
    Api,
    access_record::{AccessRecord, scope},
    error::Error,
    location::{address_of, address_of_tokens},
};
use crate::{
    auth::{Demand, Identity},
    config::TokenRealm,
};

/// The question to the client of one request.
#[derive(Debug)]
pub(super) struct Challenge {
    method: Method,
    uri: Uri,
    /// The scheme with what it says of every request.
    question: String,
    takes_scope: bool,
}

/// Why a token that was sent is not enough.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Invalid,
    Insufficient,
}

impl Challenge {
    /// The one by which this server demands something of the sender of this request.
    pub(super) fn of(api: &Api, demand: Demand<'_>, request: &Parts) -> Self {
        let basic = |realm: &str| (format!("Basic realm={}", quoted(realm)), false);
        let bearer = |realm: &str, service: &str| {
            (format!("Bearer realm={},service={}", quoted(realm), quoted(service)), true)
        };
        let (question, takes_scope) = match demand {
            Demand::Password { realm } => basic(realm),
            Demand::Token { realm: TokenRealm::Url(url), service } => bearer(url, service),
            Demand::Token { realm: TokenRealm::Path(path), service } => {
                bearer(&address_of(path, &api.answers(), request), service)
            }
            Demand::OwnToken { realm, .. } if shows_password(request) => basic(realm),
            Demand::OwnToken { service, .. } => bearer(&address_of_tokens(&api.answers(), request), service),
        };
        Self { method: request.method.clone(), uri: request.uri.clone(), question, takes_scope }
    }

    /// The one to who has come in by a token, which may lack the right for what is asked for.
    pub(super) fn to_bearer(api: &Api, identity: &Identity, request: &Parts) -> Option<Self> {
        let demand = api.auth.demand().filter(|_| matches!(identity, Identity::Bearer(_)))?;
        Some(Self::of(api, demand, request))
    }

    /// Asks a client that has shown nothing, or a wrong password.
    pub(super) fn ask(&self, message: &str) -> Error {
        self.unauthorized(message, None)
    }

    /// Asks a client whose token is not good.
    pub(super) fn refuse_token(&self, message: &str) -> Error {
        self.unauthorized(message, Some(Fault::Invalid))
    }

    fn unauthorized(&self, message: &str, fault: Option<Fault>) -> Error {
        let needed = AccessRecord::needed(&self.method, &self.uri);
        let error = Error::new(StatusCode::UNAUTHORIZED, ErrorCode::Unauthorized, message)
            .with_header(WWW_AUTHENTICATE, self.header(&needed, fault));
        if needed.is_empty() { error } else { error.with_detail(json!(needed)) }
    }

    /// Adds the question to the answer of a handler that found a right missing in the token.
    pub(super) fn complete(&self, mut response: Response) -> Response {
        let Some(error) = response.extensions_mut().get::<Arc<Error>>() else { return response };
        let Some(lacking) = error.lacking.as_deref() else { return response };
        let mut needed = AccessRecord::needed(&self.method, &self.uri);
        if !needed.contains(lacking) {
            needed.push(lacking.clone());
        }
        let header = self.header(&needed, Some(Fault::Insufficient));
        Error::clone(error).with_header(WWW_AUTHENTICATE, header).into_response()
    }

    fn header(&self, needed: &[AccessRecord], fault: Option<Fault>) -> HeaderValue {
        let mut question = self.question.clone();
        if self.takes_scope {
            if !needed.is_empty() {
                question += ",scope=";
                question += &quoted(&scope(needed));
            }
            match fault {
                Some(Fault::Invalid) => question.push_str(",error=\"invalid_token\""),
                Some(Fault::Insufficient) => question.push_str(",error=\"insufficient_scope\""),
                None => {}
            }
        }
        HeaderValue::try_from(question).unwrap_or(HeaderValue::from_static("Basic realm=\"Registry\""))
    }
}

/// Whether the client has decided for a password itself, and is answered in its own words.
fn shows_password(request: &Parts) -> bool {
    let shown = request.headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
    shown
        .and_then(|shown| shown.first_chunk())
        .is_some_and(|scheme: &[u8; 6]| scheme.eq_ignore_ascii_case(b"basic "))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
