//! `auth.token`: whose tokens let clients in; `tokens`: those that this server gives to users.

use std::{path::PathBuf, time::Duration};

use crate::{
    auth::Algorithm,
    config::{OwnTokens, Token, TokenRealm, error::Error, settings::Settings},
};

const ALGORITHMS: &str = "a list of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 and EdDSA: \
     HS256 and its like would take whoever knows a key that verifies for one who may sign, and ES512 is not supported";

pub(super) fn token(settings: &Settings) -> Result<Option<Token>, Error> {
    if settings.chosen("auth", &["token"]).is_empty() {
        return Ok(None);
    }
    let settings = settings.below("auth.token");
    let needed = |key, why| settings.text(key)?.ok_or_else(|| settings.missing(key, why));
    let service = needed("service", "write the name of this registry that its tokens have as audience")?;
    let issuer = needed("issuer", "write the name of whoever makes the tokens, as they tell it")?;
    let path = |key| Ok::<_, Error>(settings.text(key)?.map(PathBuf::from));
    let (certificates, jwks) = (path("rootcertbundle")?, path("jwks")?);
    if certificates.is_none() && jwks.is_none() {
        const WHY: &str = "name the file of the certificates, or in auth.token.jwks that of the keys, that tokens are verified with";
        return Err(settings.missing("rootcertbundle", WHY));
    }
    let algorithms = algorithms(&settings)?;
    Ok(Some(Token { realm: realm(&settings)?, service, issuer, certificates, jwks, algorithms }))
}

fn realm(settings: &Settings) -> Result<TokenRealm, Error> {
    if settings.flag("autoredirect")? {
        let path = settings.require("autoredirectpath", "a path that begins with a slash", |text| {
            text.starts_with('/').then(|| text.to_owned())
        })?;
        return Ok(TokenRealm::Path(path));
    }
    let is_url = |text: &str| text.starts_with("https://") || text.starts_with("http://");
    let url = settings.require("realm", "the URL where clients get their tokens", |text| {
        is_url(text).then(|| text.to_owned())
    })?;
    Ok(TokenRealm::Url(url))
}

fn algorithms(settings: &Settings) -> Result<Vec<Algorithm>, Error> {
    let items = settings.list("signingalgorithms")?;
    if items.is_empty() {
        return Ok(Algorithm::ALL.to_vec());
    }
    items.iter().map(|item| item.text.parse().map_err(|_| item.unexpected(ALGORITHMS))).collect()
}

/// The shortest lifetime: clients take less for this much.
const SHORTEST: Duration = Duration::from_mins(1);

/// Our own tokens, if there are any.
pub(super) fn own_tokens(settings: &Settings, has_users: bool) -> Result<Option<OwnTokens>, Error> {
    let tokens = settings.below("tokens");
    if !tokens.flag("enabled")? {
        return Ok(None);
    }
    if !has_users {
        const WHY: &str =
            "tokens.enabled gives tokens to users; configure auth.htpasswd.realm and auth.htpasswd.path";
        return Err(settings.missing("auth.htpasswd", WHY));
    }
    let lifetime = tokens.duration("lifetime")?;
    if lifetime < SHORTEST {
        return Err(tokens.unexpected("lifetime", "a minute or more, since clients take less for a minute"));
    }
    Ok(Some(OwnTokens {
        service: tokens.require("service", "a name", |text| Some(text.to_owned()))?,
        lifetime,
        refresh_lifetime: tokens.duration("refreshlifetime")?,
        key: tokens.text("key")?.map(PathBuf::from),
    }))
}
