//! `mirrors`: which other registries are mirrored below which names; `proxy`: the one of which this is a mirror as a whole.

use std::{path::PathBuf, time::Duration};

use berth_oci::{Reference, RepositoryName, Tag};
use hyper::Uri;

use super::{address, space};
use crate::{
    config::{Mirror, MirrorCredentials, Prefetch, error::Error, settings::Settings},
    http_client::Authorities,
};

const URL: &str = "the URL of a registry without a path, such as https://registry.example.com";
const UPSTREAM: &str = "the host of the registry to mirror, as image names begin with it, such as docker.io or \
     registry.example.com:5000";
const PREFIX: &str = "the beginning of repository names, such as docker.io or hub; the upstream's host serves \
     unless it has a port";
const LIMIT: &str = "a size such as 50GiB";
const IMAGES: &str = "images by their names at the upstream, such as library/alpine:3.22";
const LIFETIME: &str = "a duration such as 1h";
const ONE_CREDENTIAL: &str =
    "left out beside another way to log in: choose one of password, passwordfile and exec";
const NEEDS_PASSWORD: &str = "username comes with a password: write password or passwordfile";
const NEEDS_USER: &str = "the password belongs to a user; name the user";

/// What names an image of Docker Hub, and where Docker Hub is.
const DOCKER_HUB: (&str, &str) = ("docker.io", "https://registry-1.docker.io");

pub(super) fn mirrors(settings: &Settings) -> Result<Vec<Mirror>, Error> {
    let whole = proxy(&settings.below("proxy"))?;
    let items = settings.items("mirrors");
    if let (Some(_), Some(item)) = (&whole, items.first()) {
        return Err(item.refused(
            "proxy.remoteurl makes the whole registry a mirror of one upstream; write that one under mirrors, too, and remove proxy",
        ));
    }
    let mut mirrors: Vec<Mirror> = whole.into_iter().collect();
    for item in items {
        let mirror = mirror(&item)?;
        if mirrors.iter().any(|other| other.upstream == mirror.upstream) {
            return Err(item.unexpected("upstream", "a host that no other mirror names"));
        }
        if mirrors.iter().any(|other| other.prefix == mirror.prefix) {
            return Err(item.unexpected("prefix", "a name that no other mirror has"));
        }
        mirrors.push(mirror);
    }
    Ok(mirrors)
}

/// The registry of which this one is a mirror as a whole, as in Distribution: tags are asked for each time, and what nobody has
/// pulled for the time of `ttl` goes.
fn proxy(settings: &Settings) -> Result<Option<Mirror>, Error> {
    let Some(url) = settings.read("remoteurl", URL, url)? else {
        return Ok(None);
    };
    let ttl = settings.duration("ttl")?;
    Ok(Some(Mirror {
        upstream: host(&url),
        prefix: None,
        credentials: credentials(settings)?,
        url,
        ttl: Duration::ZERO,
        keep: (!ttl.is_zero()).then_some(ttl),
        ca: None,
        limit: None,
        offline: false,
        prefetch: None,
    }))
}

fn mirror(settings: &Settings) -> Result<Mirror, Error> {
    let upstream = settings.require("upstream", UPSTREAM, upstream)?;
    let prefix = match settings.text("prefix")? {
        Some(_) => settings.require("prefix", PREFIX, |text| text.parse().ok())?,
        None => upstream.parse().map_err(|_| settings.missing("prefix", PREFIX))?,
    };
    let url = settings.read("remoteurl", URL, url)?;
    let Some(url) = url.or_else(|| self::url(&default_url(&upstream))) else {
        return Err(settings.unexpected("upstream", UPSTREAM));
    };
    let keep = settings.duration("keep")?;
    Ok(Mirror {
        prefix: Some(prefix),
        credentials: credentials(settings)?,
        url,
        ttl: settings.duration("ttl")?,
        keep: (!keep.is_zero()).then_some(keep),
        ca: settings.text("ca")?.map(authorities),
        limit: settings.read("limit", LIMIT, |text| space::bytes(text).filter(|bytes| *bytes > 0))?,
        offline: settings.flag("offline")?,
        prefetch: prefetch(&settings.below("prefetch"))?,
        upstream,
    })
}

/// A file, or the certificates themselves.
fn authorities(text: String) -> Authorities {
    if text.contains("-----BEGIN ") { Authorities::Text(text) } else { Authorities::File(text.into()) }
}

fn default_url(upstream: &str) -> String {
    let (hub, url) = DOCKER_HUB;
    if upstream == hub { url.to_owned() } else { format!("https://{upstream}") }
}

fn upstream(text: &str) -> Option<String> {
    let text = text.to_ascii_lowercase();
    let uri = url(&format!("https://{text}"))?;
    (uri.authority()?.as_str() == text).then_some(text)
}

fn host(url: &Uri) -> String {
    let authority = url.authority().map_or("", |authority| authority.as_str());
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host).to_ascii_lowercase();
    let (hub, hub_url) = DOCKER_HUB;
    if hub_url.strip_prefix("https://") == Some(&host) { hub.to_owned() } else { host }
}

/// The URL of a registry: nothing stands behind its host, for that is where names of repositories begin.
fn url(text: &str) -> Option<Uri> {
    address::url(text).filter(|url| matches!(url.path(), "" | "/") && url.query().is_none())
}

fn credentials(settings: &Settings) -> Result<MirrorCredentials, Error> {
    let (username, password) = (settings.text("username")?, settings.text("password")?);
    let path = settings.text("passwordfile")?.map(PathBuf::from);
    let exec = settings.below("exec");
    let Some(command) = exec.text("command")? else {
        return match (username, password, path) {
            (None, None, None) => Ok(MirrorCredentials::None),
            (_, Some(_), Some(_)) => Err(settings.unexpected("passwordfile", ONE_CREDENTIAL)),
            (None, ..) => Err(settings.missing("username", NEEDS_USER)),
            (Some(_), None, None) => Err(settings.missing("password", NEEDS_PASSWORD)),
            (Some(username), Some(password), None) => Ok(MirrorCredentials::Password { username, password }),
            (Some(username), None, Some(path)) => Ok(MirrorCredentials::PasswordFile { username, path }),
        };
    };
    if username.is_some() || password.is_some() || path.is_some() {
        return Err(exec.unexpected("command", ONE_CREDENTIAL));
    }
    let lifetime = exec.read("lifetime", LIFETIME, crate::config::duration::parse)?;
    Ok(MirrorCredentials::Exec { command, lifetime })
}

fn prefetch(settings: &Settings) -> Result<Option<Prefetch>, Error> {
    let images = settings.list("images")?;
    let images: Vec<_> = images
        .iter()
        .map(|item| image(item.text).ok_or_else(|| item.unexpected(IMAGES)))
        .collect::<Result<_, _>>()?;
    let interval = settings.positive_duration("interval")?;
    Ok((!images.is_empty()).then_some(Prefetch { images, interval }))
}

/// The name of an image without its registry: `app`, `app:1`, `app@sha256:…`, `app:1@sha256:…`.
fn image(text: &str) -> Option<(RepositoryName, Reference)> {
    let (name, digest) = match text.split_once('@') {
        Some((name, digest)) => (name, Some(digest.parse().ok()?)),
        None => (text, None),
    };
    let (name, tag) = name.split_once(':').unwrap_or((name, "latest"));
    let tag: Tag = tag.parse().ok()?;
    Some((name.parse().ok()?, digest.map_or(Reference::Tag(tag), Reference::Digest)))
}
