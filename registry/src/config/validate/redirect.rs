//! `storage.redirect`: which pulls of blobs are redirected to the storage.
//!
//! Distribution redirects unless it is told not to. Here it is asked for: where clients cannot reach the storage, or do not
//! trust its certificate, pulls would break by themselves.

use std::{str::FromStr, time::Duration};

use crate::config::{Choice, Redirect, Storage, duration, error::Error, settings::Settings};

const NETWORK: &str = "a network, such as 10.0.0.0/8 or fd00::/8";
const USER_AGENT: &str =
    "what clients call themselves in User-Agent, in which * stands for any text, such as containerd/*";

const NOT_IN_S3: &str = "blobs are redirected to S3 only, and served by this server itself";
const NOT_ASKED: &str = "blobs are redirected with `storage.redirect.disable: false` only";

/// What nobody writes who does not want redirects.
const UNASKED: [&str; 5] = [
    "storage.redirect.lifetime",
    "storage.redirect.networks",
    "storage.redirect.useragents",
    "storage.s3.redirectendpoint",
    "storage.s3aws.redirectendpoint",
];

/// S3 takes no signature that is valid for longer.
const LONGEST_LIFETIME: Duration = Duration::from_hours(7 * 24);

pub(super) fn redirect(
    settings: &Settings,
    storage: &Storage,
    warnings: &mut Vec<String>,
) -> Result<Option<Redirect>, Error> {
    let section = settings.below("storage.redirect");
    let redirect = Redirect {
        lifetime: lifetime(&section)?,
        networks: choice(&section.below("networks"), NETWORK)?,
        user_agents: choice(&section.below("useragents"), USER_AGENT)?,
    };
    let is_possible = matches!(storage, Storage::S3(_));
    match section.flag("disable")? {
        false if is_possible => return Ok(Some(redirect)),
        false => warn(settings, &["storage.redirect"], NOT_IN_S3, warnings),
        true if section.origin("disable").is_none() => warn(settings, &UNASKED, NOT_ASKED, warnings),
        true => {}
    }
    Ok(None)
}

fn warn(settings: &Settings, keys: &[&str], why: &str, warnings: &mut Vec<String>) {
    let written = keys.iter().filter_map(|key| Some((key, settings.origin(key)?)));
    warnings.extend(written.map(|(key, origin)| format!("{origin}: `{key}` has no effect: {why}")));
}

fn lifetime(settings: &Settings) -> Result<Duration, Error> {
    settings.require("lifetime", "a duration from 1s to 168h, such as 20m", |text| {
        let lifetime = duration::parse(text)?;
        (Duration::from_secs(1)..=LONGEST_LIFETIME).contains(&lifetime).then_some(lifetime)
    })
}

fn choice<T: FromStr>(settings: &Settings, expected: &'static str) -> Result<Choice<T>, Error> {
    let list = |key| -> Result<Vec<T>, Error> {
        let items = settings.list(key)?.into_iter();
        items.map(|item| item.text.parse().map_err(|_| item.unexpected(expected))).collect()
    };
    Ok(Choice { only: list("only")?, except: list("except")? })
}
