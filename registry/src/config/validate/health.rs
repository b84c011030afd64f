//! `health`: what must be well.

use hyper::StatusCode;

use super::{
    address::{HOST_AND_PORT, URL, remote, url},
    headers::secret_headers,
};
use crate::config::{FileCheck, Health, HttpCheck, Pace, TcpCheck, error::Error, settings::Settings};

pub(super) fn health(settings: &Settings) -> Result<Health, Error> {
    let storage = settings.below("storagedriver");
    let pace_of_storage = pace(&storage)?;
    Ok(Health {
        storage: storage.flag("enabled")?.then_some(pace_of_storage),
        files: settings.items("file").iter().map(file).collect::<Result<_, _>>()?,
        http: settings.items("http").iter().map(http).collect::<Result<_, _>>()?,
        tcp: settings.items("tcp").iter().map(tcp).collect::<Result<_, _>>()?,
    })
}

fn pace(settings: &Settings) -> Result<Pace, Error> {
    Ok(Pace {
        interval: settings.positive_duration("interval")?,
        threshold: settings.positive_number("threshold")?,
    })
}

fn file(settings: &Settings) -> Result<FileCheck, Error> {
    Ok(FileCheck {
        path: settings.require("file", "the path of a file", |text| Some(text.into()))?,
        interval: settings.positive_duration("interval")?,
    })
}

fn http(settings: &Settings) -> Result<HttpCheck, Error> {
    const STATUS: &str = "the status of an HTTP answer, such as 200";
    Ok(HttpCheck {
        uri: settings.require("uri", URL, url)?,
        headers: secret_headers(settings, "headers")?,
        status: settings
            .require("statuscode", STATUS, |text| StatusCode::from_bytes(text.as_bytes()).ok())?,
        timeout: settings.positive_duration("timeout")?,
        pace: pace(settings)?,
    })
}

fn tcp(settings: &Settings) -> Result<TcpCheck, Error> {
    Ok(TcpCheck {
        address: settings.require("addr", HOST_AND_PORT, remote)?,
        timeout: settings.positive_duration("timeout")?,
        pace: pace(settings)?,
    })
}
