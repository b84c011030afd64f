//! Our own endpoint of tokens, for clients that are sent there by the challenge (token specification of Distribution, and
//! its form after OAuth 2). What is asked for and not allowed is left out of the token, and no error.

use axum::{
    body::Bytes,
    extract::{Request, State},
    http::{StatusCode, Uri, header::AUTHORIZATION, request::Parts},
};
use berth_oci::ErrorCode;
use futures::StreamExt;

use super::{
    Api,
    authenticate::{Credentials, too_many_attempts},
    base,
    challenge::Challenge,
    error::{Error, Result},
    exchange::Findings,
    query::Parameters,
    respond::Token,
};
use crate::{
    auth::{Holder, Refusal, SERVICE_ACCOUNT, TokenRequest},
    server::Peer,
};

/// The longest form that is read, in bytes.
const LONGEST_FORM: usize = 64 << 10;

/// `GET /token?service=&scope=`, with a password or without
pub(super) async fn by_query(
    State(api): State<Api>,
    parameters: Parameters,
    request: Request,
) -> Result<Token> {
    let (parts, _) = request.into_parts();
    offered(&api, &parts.uri, &parameters).await?;
    let shown = match parts.headers.get(AUTHORIZATION).map(Credentials::read) {
        None => None,
        Some(Some(Credentials::Password(user, password))) => Some((user, password)),
        Some(Some(Credentials::Token(token))) if api.auth.takes_service_accounts() => {
            Some((SERVICE_ACCOUNT.to_owned(), token.to_owned()))
        }
        Some(_) => return Err(Error::unauthorized("a token is given for a user name and a password")),
    };
    let shown = shown.as_ref().map(|(user, password)| (user.as_str(), password.as_str()));
    let holder = api.auth.authenticate_for_token(shown, address(&parts)).await;
    let offline = parameters.get("offline_token") == Some("true");
    give(&api, &parts, holder, &parameters, offline)
}

/// `POST /token`, with a form whose `grant_type` is `password` or `refresh_token`
pub(super) async fn by_form(State(api): State<Api>, request: Request) -> Result<Token> {
    let (parts, body) = request.into_parts();
    let parameters = Parameters::of_form(&form(body.into_data_stream()).await?);
    offered(&api, &parts.uri, &parameters).await?;
    let holder = match parameters.get("grant_type") {
        Some("password") => {
            let words = |name| parameters.get(name).unwrap_or_default();
            let shown = Some((words("username"), words("password")));
            api.auth.authenticate_for_token(shown, address(&parts)).await
        }
        Some("refresh_token") => {
            api.auth.authenticate_refresh(parameters.get("refresh_token").unwrap_or_default())
        }
        _ => return Err(refuse("`grant_type` must be password or refresh_token")),
    };
    let offline = parameters.get("access_type") == Some("offline");
    give(&api, &parts, holder, &parameters, offline)
}

/// Sends everybody away where no tokens are given, or none for this service.
async fn offered(api: &Api, uri: &Uri, parameters: &Parameters) -> Result<()> {
    let Some(service) = api.auth.gives_tokens_for() else { return Err(base::not_found(uri.clone()).await) };
    match parameters.get("service") {
        Some(other) if other != service => Err(refuse("tokens are given here for another service")),
        _ => Ok(()),
    }
}

fn give(
    api: &Api,
    parts: &Parts,
    holder: Result<Holder, Refusal>,
    parameters: &Parameters,
    offline: bool,
) -> Result<Token> {
    let holder = holder.map_err(|refusal| match refusal {
        Refusal::Wrong => wrong(api, parts),
        Refusal::TooManyAttempts { retry_after } => too_many_attempts(retry_after),
    })?;
    if let Some(findings) = parts.extensions.get::<Findings>() {
        findings.identify(&holder.identity);
    }
    let scopes = parameters.all("scope");
    let issued = api.auth.issue(&holder, TokenRequest { scopes: &scopes, offline });
    let issued = issued.map_err(|error| refuse(&error.to_string()))?;
    issued.map(Token).ok_or_else(|| {
        let told = "there is no key yet that signs tokens: try again in a few seconds";
        Error::new(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Unavailable, told)
    })
}

fn wrong(api: &Api, parts: &Parts) -> Error {
    let told = "the user name or the password is wrong, or the refresh token is not good any more";
    match api.auth.demand().map(|demand| Challenge::of(api, demand, parts)) {
        Some(challenge) if parts.headers.contains_key(AUTHORIZATION) => challenge.ask(told),
        _ => Error::unauthorized(told),
    }
}

fn refuse(told: &str) -> Error {
    Error::bad_request(ErrorCode::Unsupported, told)
}

fn address(parts: &Parts) -> Option<std::net::IpAddr> {
    parts.extensions.get::<Peer>().and_then(|peer| peer.address.ip())
}

async fn form(mut chunks: axum::body::BodyDataStream) -> Result<Vec<u8>> {
    let mut form = Vec::new();
    while let Some(chunk) = chunks.next().await {
        let chunk: Bytes = chunk.map_err(|_| refuse("the body broke off before its end"))?;
        form.extend_from_slice(&chunk);
        if form.len() > LONGEST_FORM {
            let told = format!("the form is longer than {LONGEST_FORM} bytes");
            return Err(Error::new(StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::Unsupported, told));
        }
    }
    Ok(form)
}
