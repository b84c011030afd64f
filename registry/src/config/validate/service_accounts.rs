//! `serviceaccounts`: which cluster's ServiceAccounts come in by their tokens.

use crate::config::{ServiceAccounts, error::Error, settings::Settings};

const NEEDS_USERS: &str = "serviceaccounts adds to the users of a password file; configure auth.htpasswd.realm and \
     auth.htpasswd.path (the file may be empty)";
const NEEDS_RULES: &str = "ServiceAccounts may do what the access rules name them for, and nothing else; name the file of the \
     rules in access.path";
const ISSUER: &str = "write what the API server names itself in its tokens, as `kubectl get --raw /.well-known/openid-configuration` shows it";
const AUDIENCES: &str = "write the name of this registry that the tokens have to be meant for, such as its host: without it, \
     a token that was made for another service would open this one";
const KEYS: &str =
    "name the file of the keys that the API server publishes: `kubectl get --raw /openid/v1/jwks`";

pub(super) fn service_accounts(settings: &Settings) -> Result<Option<ServiceAccounts>, Error> {
    if settings.origin("serviceaccounts").is_none() {
        return Ok(None);
    }
    if settings.chosen("auth", &["htpasswd"]).is_empty() {
        return Err(settings.missing("auth.htpasswd", NEEDS_USERS));
    }
    if settings.text("access.path")?.is_none() {
        return Err(settings.missing("access.path", NEEDS_RULES));
    }
    let accounts = settings.below("serviceaccounts");
    let needed = |key, why| accounts.text(key)?.ok_or_else(|| accounts.missing(key, why));
    let issuer = needed("issuer", ISSUER)?;
    let audiences: Vec<String> =
        accounts.list("audiences")?.iter().map(|item| item.text.to_owned()).collect();
    if audiences.is_empty() || audiences.iter().any(String::is_empty) {
        return Err(accounts.missing("audiences", AUDIENCES));
    }
    Ok(Some(ServiceAccounts { issuer, audiences, keys: needed("keys", KEYS)?.into() }))
}
