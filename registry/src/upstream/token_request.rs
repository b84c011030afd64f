//! What a token server is asked, and what it answers.

use std::{fmt, time::Duration};

use hyper::{
    HeaderMap, Method, Uri,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue},
};
use serde::Deserialize;
use tokio::time::Instant;

use super::{
    Error, Result,
    challenge::TokenSource,
    connections::{Content, server},
    credentials::User,
    scope::Scope,
};

/// How long a token holds when nothing is said (token specification).
const DEFAULT_LIFETIME: u64 = 60;

/// How much earlier than its end a token counts as old: a request that takes it along has to arrive.
const MARGIN: Duration = Duration::from_secs(10);

/// What this program is called where an identity token is exchanged.
const CLIENT: &str = "berth";

/// A token, and when it counts as old.
pub(super) struct Token {
    pub(super) header: HeaderValue,
    pub(super) end: Instant,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("end", &self.end).finish_non_exhaustive()
    }
}

/// The refusal to ask a place that is no address.
pub(super) fn no_place(realm: &Uri) -> Error {
    let reason = "the place where it gives tokens is no address".to_owned();
    Error::Invalid { server: server(realm), reason }
}

/// A question for a token.
pub(super) struct Question {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    pub(super) content: Content,
}

impl Question {
    /// By a user with a password, or by nobody in particular (token specification of Distribution).
    pub(super) fn of_user(
        place: &Uri,
        source: &TokenSource,
        scope: &Scope,
        user: Option<&User>,
    ) -> Result<Self> {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(source.service.iter().map(|service| ("service", service)));
        query.extend_pairs(scope.parts().map(|part| ("scope", part)));
        query.extend_pairs(user.map(|user| ("account", &user.name)));
        let (path, before) = (place.path(), place.query().map(|query| format!("{query}&")));
        let target = format!("{path}?{}{}", before.unwrap_or_default(), query.finish());
        let mut parts = place.clone().into_parts();
        parts.path_and_query = target.parse().ok();
        let uri = Uri::from_parts(parts).map_err(|_| no_place(place))?;
        let mut headers = HeaderMap::new();
        if let Some(user) = user {
            headers.insert(AUTHORIZATION, user.header()?);
        }
        Ok(Self { method: Method::GET, uri, headers, content: Content::Nothing })
    }

    /// By an identity token (OAuth 2.0 variant of the token specification).
    pub(super) fn of_identity(place: Uri, source: &TokenSource, scope: &Scope, token: &str) -> Self {
        let scope: Vec<&str> = scope.parts().collect();
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "refresh_token");
        form.extend_pairs(source.service.iter().map(|service| ("service", service)));
        form.append_pair("client_id", CLIENT).append_pair("scope", &scope.join(" "));
        form.append_pair("refresh_token", token);
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        let headers = [(CONTENT_TYPE, kind)].into_iter().collect();
        Self { method: Method::POST, uri: place, headers, content: Content::Bytes(form.finish().into()) }
    }
}

/// What a token is answered with.
#[derive(Deserialize)]
pub(super) struct Answer {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

impl Answer {
    /// The token, if there is one.
    pub(super) fn token(self, asked_at: Instant) -> Option<Token> {
        let token = self.token.or(self.access_token).filter(|token| !token.is_empty())?;
        let mut header = HeaderValue::try_from(format!("Bearer {token}")).ok()?;
        header.set_sensitive(true);
        let lifetime = Duration::from_secs(self.expires_in.unwrap_or(DEFAULT_LIFETIME));
        let end = asked_at.checked_add(lifetime.saturating_sub(MARGIN.min(lifetime / 2)))?;
        Some(Token { header, end })
    }
}
