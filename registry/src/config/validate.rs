//! From settings as written to a [`Config`] whose values can be used; what is wrong is told by key and place.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use hyper::header::{HeaderName, HeaderValue};
use serde_yaml::Value;
use tracing::Level;

use super::{
    Address, Config, Health, Htpasswd, Http, Limits, Listen, Log, LogFormat, Notifications, Rules, Storage,
    Tls, TlsVersion, UploadPurging, Validation,
    error::Error,
    settings::{Settings, scalar_text, unexpected},
};

const DEFAULT_PORT: u16 = 5000;

/// Below the 300 seconds that the operator gives a Pod to end, so that connections close in good order.
const DEFAULT_DRAIN_TIMEOUT: Duration = Duration::from_secs(270);

const HOUR: Duration = Duration::from_hours(1);

/// Checks the version of the file's format.
pub(super) fn version(settings: &Settings) -> Result<(), Error> {
    let supported = |value: &Value| (scalar_text(value)? == "0.1").then_some(());
    match settings.read("version", "0.1", supported)? {
        Some(()) => Ok(()),
        None => Err(Error::Missing { key: "version", why: "begin the file with `version: 0.1`" }),
    }
}

/// Turns settings into a configuration; `default_root` is used when no storage is configured.
pub(super) fn config(
    settings: &Settings,
    default_root: &Path,
    warnings: &mut Vec<String>,
) -> Result<Config, Error> {
    let htpasswd = htpasswd(settings)?;
    let access_rules = settings.text("access.path")?.map(PathBuf::from);
    if access_rules.is_some() && htpasswd.is_none() {
        return Err(Error::Missing {
            key: "auth.htpasswd",
            why: "access.path gives rights to users; configure auth.htpasswd.realm and auth.htpasswd.path",
        });
    }
    Ok(Config {
        log: log(settings, warnings)?,
        storage: storage(settings, default_root)?,
        rules: Rules {
            delete_enabled: settings.flag("storage.delete.enabled")?.unwrap_or(false),
            read_only: settings.flag("storage.maintenance.readonly.enabled")?.unwrap_or(false),
        },
        upload_purging: upload_purging(settings, warnings)?,
        validation: Validation::default(),
        limits: Limits::default(),
        http: http(settings, warnings)?,
        debug: None,
        health: Health::default(),
        notifications: Notifications::default(),
        htpasswd,
        access_rules,
    })
}

fn log(settings: &Settings, warnings: &mut Vec<String>) -> Result<Log, Error> {
    const LEVELS: &str = "one of error, warn, info, debug, trace";
    const FORMATS: &str = "one of text, json, logstash";
    let deprecated = settings.read("loglevel", LEVELS, level)?;
    if deprecated.is_some() {
        warnings.push("`loglevel` is deprecated: write log.level".to_owned());
    }
    let fields = settings.map("log.fields").into_iter().filter_map(|(name, entry)| {
        Some((name.to_owned(), scalar_text(&entry.value).filter(|text| !text.is_empty())?))
    });
    Ok(Log {
        level: settings.read("log.level", LEVELS, level)?.or(deprecated).unwrap_or(Level::INFO),
        format: settings.read("log.formatter", FORMATS, log_format)?.unwrap_or(LogFormat::Text),
        fields: fields.collect(),
        access_log: !settings.flag("log.accesslog.disabled")?.unwrap_or(false),
    })
}

fn level(value: &Value) -> Option<Level> {
    match value.as_str()?.to_ascii_lowercase().as_str() {
        "panic" | "fatal" | "error" => Some(Level::ERROR),
        "warn" | "warning" => Some(Level::WARN),
        "info" => Some(Level::INFO),
        "debug" => Some(Level::DEBUG),
        "trace" => Some(Level::TRACE),
        _ => None,
    }
}

fn log_format(value: &Value) -> Option<LogFormat> {
    match value.as_str()? {
        "text" => Some(LogFormat::Text),
        "json" => Some(LogFormat::Json),
        "logstash" => Some(LogFormat::Logstash),
        _ => None,
    }
}

fn storage(settings: &Settings, default_root: &Path) -> Result<Storage, Error> {
    let chosen = settings.chosen("storage", &["filesystem", "inmemory"]);
    match chosen.as_slice() {
        [] | ["filesystem"] => {
            let root = settings.text("storage.filesystem.rootdirectory")?.map(PathBuf::from);
            Ok(Storage::Filesystem { root: root.unwrap_or_else(|| default_root.to_owned()) })
        }
        ["inmemory"] => Ok(Storage::Memory),
        several => {
            let chosen = several.iter().map(|name| format!("storage.{name}")).collect();
            Err(Error::Ambiguous { section: "storage", chosen })
        }
    }
}

fn upload_purging(settings: &Settings, warnings: &mut Vec<String>) -> Result<Option<UploadPurging>, Error> {
    const KEY: &str = "storage.maintenance.uploadpurging";
    let purging = UploadPurging {
        age: settings.duration(&format!("{KEY}.age"))?.unwrap_or(168 * HOUR),
        interval: settings.positive_duration(&format!("{KEY}.interval"))?.unwrap_or(24 * HOUR),
    };
    let enabled = settings.flag(&format!("{KEY}.enabled"))?.unwrap_or(true);
    let dry_run = settings.flag(&format!("{KEY}.dryrun"))?.unwrap_or(false);
    if enabled && dry_run {
        warnings.push(format!("`{KEY}.dryrun` is on: forgotten uploads are kept"));
    }
    Ok((enabled && !dry_run).then_some(purging))
}

fn http(settings: &Settings, warnings: &mut Vec<String>) -> Result<Http, Error> {
    settings.read("http.net", "tcp; this release has no Unix sockets", |value| {
        (value.as_str()? == "tcp").then_some(())
    })?;
    let address = settings.read(
        "http.addr",
        "an address and a port, such as :5000, 127.0.0.1:5000 or [::1]:5000",
        |value| address(&scalar_text(value)?),
    )?;
    Ok(Http {
        listen: Listen::Tcp(address.unwrap_or(Address { host: None, port: DEFAULT_PORT })),
        host: settings.read("http.host", "a URL such as https://registry.example.com", host)?,
        prefix: String::new(),
        relative_urls: settings.flag("http.relativeurls")?.unwrap_or(false),
        headers: headers(settings)?,
        tls: tls(settings, warnings)?,
        http2: true,
        h2c: true,
        drain_timeout: settings.duration("http.draintimeout")?.unwrap_or(DEFAULT_DRAIN_TIMEOUT),
    })
}

/// Reads `host:port`; without a host, all addresses are meant.
fn address(text: &str) -> Option<Address> {
    let (host, port) = text.rsplit_once(':')?;
    let port = port.parse().ok()?;
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host = match (bracketed, host) {
        (Some("::"), _) | (None, "") => None,
        (Some(address), _) => Some(address.to_owned()),
        (None, host) if host.contains(':') => return None,
        (None, host) => Some(host.to_owned()),
    };
    Some(Address { host, port })
}

fn host(value: &Value) -> Option<String> {
    let url = value.as_str()?.trim_end_matches('/');
    let authority = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let plain = !authority.is_empty() && !authority.contains(['/', '?', '#', ' ']);
    (plain && HeaderValue::from_str(url).is_ok()).then(|| url.to_owned())
}

fn headers(settings: &Settings) -> Result<Vec<(HeaderName, HeaderValue)>, Error> {
    const EXPECTED: &str = "a header name with a list of values, such as X-Frame-Options: [DENY]";
    let mut headers = Vec::new();
    for (name, entry) in settings.map("http.headers") {
        let refuse = || unexpected(&entry.origin, &format!("http.headers.{name}"), EXPECTED, &entry.value);
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| refuse())?;
        let values = match &entry.value {
            Value::Sequence(values) => values.iter().map(scalar_text).collect(),
            single => scalar_text(single).map(|value| vec![value]),
        };
        for value in values.ok_or_else(refuse)? {
            headers.push((header.clone(), HeaderValue::from_str(&value).map_err(|_| refuse())?));
        }
    }
    Ok(headers)
}

fn tls(settings: &Settings, warnings: &mut Vec<String>) -> Result<Option<Tls>, Error> {
    let certificate = settings.text("http.tls.certificate")?.map(PathBuf::from);
    let key = settings.text("http.tls.key")?.map(PathBuf::from);
    let minimum = settings.read("http.tls.minimumtls", "tls1.2 or tls1.3", minimum_tls)?;
    if minimum.is_some_and(|(_, raised)| raised) {
        warnings.push("`http.tls.minimumtls`: versions below 1.2 are broken; 1.2 is used".to_owned());
    }
    let minimum = minimum.map_or(TlsVersion::Tls12, |(version, _)| version);
    match (certificate, key) {
        (Some(certificate), Some(key)) => {
            Ok(Some(Tls { certificate, key, minimum, cipher_suites: Vec::new(), clients: None }))
        }
        (None, None) => Ok(None),
        (Some(_), None) => Err(Error::Missing {
            key: "http.tls.key",
            why: "http.tls.certificate needs the file of its private key",
        }),
        (None, Some(_)) => Err(Error::Missing {
            key: "http.tls.certificate",
            why: "http.tls.key needs the file of its certificate",
        }),
    }
}

/// The version to use, and whether it had to be raised.
fn minimum_tls(value: &Value) -> Option<(TlsVersion, bool)> {
    match value.as_str()? {
        "tls1.0" | "tls1.1" => Some((TlsVersion::Tls12, true)),
        "tls1.2" => Some((TlsVersion::Tls12, false)),
        "tls1.3" => Some((TlsVersion::Tls13, false)),
        _ => None,
    }
}

fn htpasswd(settings: &Settings) -> Result<Option<Htpasswd>, Error> {
    let chosen = settings.chosen("auth", &["htpasswd", "none"]);
    match chosen.as_slice() {
        [] | ["none"] => return Ok(None),
        ["htpasswd"] => {}
        several => {
            let chosen = several.iter().map(|name| format!("auth.{name}")).collect();
            return Err(Error::Ambiguous { section: "auth", chosen });
        }
    }
    let realm = settings.text("auth.htpasswd.realm")?.ok_or(Error::Missing {
        key: "auth.htpasswd.realm",
        why: "clients show it when they ask for a password; write any name, such as Registry",
    })?;
    let path = settings.text("auth.htpasswd.path")?.ok_or(Error::Missing {
        key: "auth.htpasswd.path",
        why: "name the file that `registry htpasswd -Bbn USER PASSWORD` has written",
    })?;
    Ok(Some(Htpasswd { realm, path: path.into() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_go_writes_them() {
        let all = |port| Some(Address { host: None, port });
        let one = |host: &str, port| Some(Address { host: Some(host.to_owned()), port });
        assert_eq!(address(":5000"), all(5000));
        assert_eq!(address("[::]:5000"), all(5000));
        assert_eq!(address("0.0.0.0:443"), one("0.0.0.0", 443));
        assert_eq!(address("[::1]:5000"), one("::1", 5000));
        assert_eq!(address("localhost:5000"), one("localhost", 5000));
        for wrong in ["5000", "::1:5000", ":http", ":70000", ""] {
            assert_eq!(address(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_host_is_a_url_without_a_path() {
        let read = |text: &str| host(&Value::String(text.to_owned()));
        assert_eq!(read("https://hub.example.com/").as_deref(), Some("https://hub.example.com"));
        assert_eq!(read("hub.example.com"), None);
        assert_eq!(read("https://hub.example.com/path"), None);
    }
}
