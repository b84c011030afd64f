//! The table of all configuration keys: its lines decide what the file may say, which environment variable
//! overrides which key, and what happens to keys that this server does not act on.
//!
//! The keys are those of the CNCF Distribution registry, plus `access.path`. Reading the values is left to `validate`.

/// How the value of a key is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A string; an environment variable is taken literally, so that a numeric secret keeps its digits.
    Text,
    /// Any YAML scalar or list.
    Value,
    /// A mapping with names of the user's choice.
    Map,
    /// A part of the tree whose inside is not looked at.
    Section,
}

/// What the server does with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// The server acts on it.
    Honoured,
    /// It is accepted, and a warning says why it changes nothing.
    Ignored(&'static str),
    /// The server does not start; the text says what to write instead.
    Refused(&'static str),
}

/// One line of the table.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) path: &'static str,
    pub(super) kind: Kind,
    pub(super) effect: Effect,
}

const fn text(path: &'static str) -> Key {
    Key { path, kind: Kind::Text, effect: Effect::Honoured }
}

const fn value(path: &'static str) -> Key {
    Key { path, kind: Kind::Value, effect: Effect::Honoured }
}

const fn map(path: &'static str) -> Key {
    Key { path, kind: Kind::Map, effect: Effect::Honoured }
}

const fn ignored(path: &'static str, why: &'static str) -> Key {
    Key { path, kind: Kind::Section, effect: Effect::Ignored(why) }
}

const fn refused(path: &'static str, instead: &'static str) -> Key {
    Key { path, kind: Kind::Section, effect: Effect::Refused(instead) }
}

const OBJECT_STORAGE: &str =
    "object storage is not supported in this release; use storage.filesystem on a volume";
const TOKEN: &str = "only htpasswd authentication is supported in this release; use auth.htpasswd";
const PROXY: &str = "the pull-through cache is not supported in this release; remove the section `proxy`";
const TLS_CLIENTS: &str = "client certificates are not checked in this release; \
     remove the key and authenticate clients by auth.htpasswd";
const MIDDLEWARE: &str = "there is no middleware in this server; remove the section";
const OWN_CACHE: &str = "this server needs no descriptor cache";
const OWN_HEALTH: &str = "storage is checked on each request of /readyz";
const OWN_LIMIT: &str = "the file system needs no limit of this kind";

/// Every key that may stand in the file or in the environment.
pub(super) const KEYS: &[Key] = &[
    value("version"),
    text("log.level"),
    text("log.formatter"),
    map("log.fields"),
    value("log.accesslog.disabled"),
    ignored("log.reportcaller", "log lines name their module"),
    ignored("log.hooks", "this server sends no mail; let the log collector raise alarms"),
    text("loglevel"),
    text("storage.filesystem.rootdirectory"),
    ignored("storage.filesystem.maxthreads", OWN_LIMIT),
    value("storage.inmemory"),
    refused("storage.s3", OBJECT_STORAGE),
    refused("storage.s3aws", OBJECT_STORAGE),
    refused("storage.azure", OBJECT_STORAGE),
    refused("storage.gcs", OBJECT_STORAGE),
    refused("storage.swift", OBJECT_STORAGE),
    refused("storage.oss", OBJECT_STORAGE),
    value("storage.delete.enabled"),
    value("storage.maintenance.readonly.enabled"),
    value("storage.maintenance.uploadpurging.enabled"),
    value("storage.maintenance.uploadpurging.age"),
    value("storage.maintenance.uploadpurging.interval"),
    value("storage.maintenance.uploadpurging.dryrun"),
    ignored("storage.cache", OWN_CACHE),
    ignored("storage.redirect", "blobs in a file system are always served by this server"),
    ignored("storage.tag", OWN_LIMIT),
    text("auth.htpasswd.realm"),
    text("auth.htpasswd.path"),
    refused("auth.token", TOKEN),
    refused("auth.silly", TOKEN),
    value("auth.none"),
    text("access.path"),
    text("http.addr"),
    text("http.host"),
    text("http.secret"),
    value("http.relativeurls"),
    value("http.draintimeout"),
    map("http.headers"),
    text("http.tls.certificate"),
    text("http.tls.key"),
    text("http.tls.minimumtls"),
    ignored("http.tls.ciphersuites", "only suites without known weaknesses are offered"),
    refused("http.tls.clientcas", TLS_CLIENTS),
    refused("http.tls.clientauth", TLS_CLIENTS),
    refused(
        "http.tls.letsencrypt",
        "certificates are not requested by this server; let cert-manager or certbot \
         write them, and name the files in http.tls.certificate and http.tls.key (they are reloaded when they change)",
    ),
    text("http.net"),
    refused("http.prefix", "this server answers below /v2/ only; remove the key"),
    ignored("http.debug", "there is no debug listener; /livez and /readyz answer on the main address"),
    ignored("http.http2", "HTTP/2 is offered on TLS connections, and clients choose"),
    ignored("http.h2c", "HTTP/2 without TLS is accepted from clients that begin with it"),
    ignored("health", OWN_HEALTH),
    ignored("redis", OWN_CACHE),
    ignored("reporting", "errors are reported in the log"),
    ignored("compatibility", "schema 1 manifests are served and not accepted"),
    ignored("validation", "manifests are always checked"),
    ignored("policy", "every media type is accepted"),
    ignored("catalog", "a page of the catalog has at most 1000 names"),
    ignored("tags", "a page of tags has as many names as the client asks for"),
    refused("notifications.endpoints", "notifications are not supported in this release; remove the section"),
    ignored("notifications.events", "notifications are not supported in this release"),
    refused("middleware", MIDDLEWARE),
    refused("proxy", PROXY),
];

/// Sections that hold one of several alternatives: the name of one may stand in place of the section.
pub(super) const CHOICES: &[&str] = &["storage", "auth"];

/// The key that a path belongs to: the key itself, or the map or section that encloses it.
pub(super) fn key_of(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| {
        path == key.path
            || (matches!(key.kind, Kind::Map | Kind::Section)
                && path.strip_prefix(key.path).is_some_and(|rest| rest.starts_with('.')))
    })
}

/// Whether keys exist below this path.
pub(super) fn is_group(path: &str) -> bool {
    KEYS.iter().any(|key| key.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')))
}

/// The names that are allowed one level below a path, sorted; the empty path is the top of the file.
pub(super) fn names_below(path: &str) -> Vec<&'static str> {
    let mut names: Vec<&str> = KEYS.iter().filter_map(|key| name_below(key.path, path)).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn name_below(key: &'static str, group: &str) -> Option<&'static str> {
    let rest = if group.is_empty() { key } else { key.strip_prefix(group)?.strip_prefix('.')? };
    rest.split('.').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_stands_twice_in_the_table() {
        let mut paths: Vec<&str> = KEYS.iter().map(|key| key.path).collect();
        paths.sort_unstable();
        let all = paths.len();
        paths.dedup();
        assert_eq!(paths.len(), all);
    }

    #[test]
    fn a_key_inside_a_section_belongs_to_the_section() {
        assert_eq!(key_of("storage.s3.bucket").map(|key| key.path), Some("storage.s3"));
        assert_eq!(key_of("storage.s3").map(|key| key.path), Some("storage.s3"));
        assert!(key_of("storage.s3x").is_none());
    }

    #[test]
    fn names_below_a_group_are_the_next_words_of_its_keys() {
        assert_eq!(names_below("storage.maintenance"), ["readonly", "uploadpurging"]);
        assert!(names_below("").contains(&"http"));
        assert!(is_group("http.tls") && !is_group("http.tls.key"));
    }
}
