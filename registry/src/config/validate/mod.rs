//! From settings as written to a [`Config`] whose values can be used; what is wrong is told by key and place.
//!
//! One file a section. Each takes the settings, and adds what the user should know to the warnings.

mod address;
mod auth;
mod collection;
mod headers;
mod health;
mod http;
mod log;
mod manifests;
mod middleware;
mod mirrors;
mod notifications;
mod redirect;
mod retention;
mod s3;
mod service_accounts;
mod space;
mod storage;
mod tls;
mod token;

use std::path::PathBuf;

use super::{Config, Limits, error::Error, settings::Settings};

/// Checks the version of the file's format.
pub(super) fn version(settings: &Settings) -> Result<(), Error> {
    let supported = settings.read("version", "0.1", |text| (text == "0.1").then_some(()))?;
    supported.ok_or_else(|| settings.missing("version", "begin the file with `version: 0.1`"))
}

/// Turns settings into a configuration.
pub(super) fn config(settings: &Settings, warnings: &mut Vec<String>) -> Result<Config, Error> {
    middleware::refuse(settings)?;
    let htpasswd = auth::htpasswd(settings)?;
    let access_rules = settings.text("access.path")?.map(PathBuf::from);
    if access_rules.is_some() && htpasswd.is_none() {
        const WHY: &str =
            "access.path gives rights to users; configure auth.htpasswd.realm and auth.htpasswd.path";
        return Err(settings.missing("auth.htpasswd", WHY));
    }
    let storage = storage::storage(settings)?;
    Ok(Config {
        log: log::log(settings, warnings)?,
        redirect: redirect::redirect(settings, &storage, warnings)?,
        storage,
        rules: storage::rules(settings)?,
        reserve: space::reserve(settings)?,
        trash_window: settings.duration("trash.window")?,
        retention: retention::rules(settings)?,
        upload_purging: storage::upload_purging(settings)?,
        collection: collection::schedule(&settings.below("garbagecollection"))?,
        mirrors: mirrors::mirrors(settings)?,
        validation: manifests::validation(&settings.below("validation"))?,
        limits: Limits {
            catalog: settings.positive_number("catalog.maxentries")?,
            tags: settings.positive_number("tags.maxtags")?,
        },
        http: http::http(&settings.below("http"), warnings)?,
        debug: http::debug(&settings.below("http.debug"), warnings)?,
        health: health::health(&settings.below("health"))?,
        notifications: notifications::notifications(&settings.below("notifications"))?,
        service_accounts: service_accounts::service_accounts(settings)?,
        own_tokens: token::own_tokens(settings, htpasswd.is_some())?,
        htpasswd,
        token: token::token(settings)?,
        access_rules,
    })
}
