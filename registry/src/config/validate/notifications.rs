//! `notifications`: who is told of events.

use super::{
    address::{URL, url},
    headers::secret_headers,
};
use crate::config::{Endpoint, Notifications, error::Error, settings::Settings};

pub(super) fn notifications(settings: &Settings) -> Result<Notifications, Error> {
    let mut endpoints: Vec<Endpoint> = Vec::new();
    for item in settings.items("endpoints") {
        let disabled = item.flag("disabled")?;
        let endpoint = endpoint(&item)?;
        if endpoints.iter().any(|other| other.name == endpoint.name) {
            return Err(item.unexpected("name", "a name that no other endpoint has"));
        }
        if !disabled {
            endpoints.push(endpoint);
        }
    }
    Ok(Notifications { include_references: settings.flag("events.includereferences")?, endpoints })
}

fn endpoint(settings: &Settings) -> Result<Endpoint, Error> {
    const NAME: &str = "a name for logs and metrics, such as events";
    let ignored = ["ignoredmediatypes", "ignore.mediatypes"];
    let mut ignored_media_types = Vec::new();
    for key in ignored {
        ignored_media_types.extend(settings.list(key)?.into_iter().map(|item| item.text.to_owned()));
    }
    Ok(Endpoint {
        name: settings.require("name", NAME, |text| Some(text.to_owned()))?,
        url: settings.require("url", URL, url)?,
        headers: secret_headers(settings, "headers")?,
        timeout: settings.positive_duration("timeout")?,
        threshold: settings.positive_number("threshold")?,
        backoff: settings.positive_duration("backoff")?,
        ignored_media_types,
        ignored_actions: ignored_actions(settings)?,
    })
}

fn ignored_actions(settings: &Settings) -> Result<Vec<String>, Error> {
    let actions = settings.list("ignore.actions")?.into_iter();
    actions
        .map(|item| match item.text {
            "pull" | "push" | "mount" | "delete" => Ok(item.text.to_owned()),
            _ => Err(item.unexpected("one of pull, push, mount, delete")),
        })
        .collect()
}
