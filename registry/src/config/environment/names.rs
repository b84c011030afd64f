//! From the name of a variable to the path of the key that it sets.
//!
//! `REGISTRY_HTTP_TLS_KEY` is `http.tls.key`: capitals, and `_` for each step. Where names of keys hold a `_`, or
//! Distribution's Go field has another name than the key, both spellings are found.

use crate::config::{
    key_path::KeyPath,
    keys::{self, GO_NAMES, Kind, Place},
};

/// What a name leads to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// A place that can be set.
    Target(Target),
    /// A list, and after it something that is not a number.
    NotAnIndex { list: KeyPath, found: String },
    /// No key.
    Nothing,
}

/// A place that can be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) path: KeyPath,
    /// Whether the variable holds the path of a file, and the file the value.
    pub(super) in_file: bool,
}

/// Finds what a variable sets; its name is given without the prefix.
pub(super) fn find(rest: &str) -> Named {
    let secret = rest.strip_suffix("_FILE").map(|plain| descend(&KeyPath::default(), plain));
    match (secret, descend(&KeyPath::default(), rest)) {
        // An entry of a map may have any name, so this question comes first.
        (Some(Named::Target(target)), _) if target.is_secret() => {
            Named::Target(Target { in_file: true, ..target })
        }
        // The file names its own version.
        (_, Named::Target(target)) if target.path == KeyPath::of("version") => Named::Nothing,
        (_, named) => named,
    }
}

impl Target {
    fn plain(path: KeyPath) -> Named {
        Named::Target(Self { path, in_file: false })
    }

    fn is_secret(&self) -> bool {
        match keys::place(&self.path.pattern()) {
            Some(Place::Key(_, key)) => key.secret && key.kind == Kind::Text,
            Some(Place::Inside(key)) => key.secret,
            _ => false,
        }
    }
}

/// Follows a name down from a path; `rest` is what is left of it.
fn descend(path: &KeyPath, rest: &str) -> Named {
    if rest.is_empty() {
        return if path.steps().is_empty() { Named::Nothing } else { Target::plain(path.clone()) };
    }
    match keys::place(&path.pattern()) {
        Some(Place::Section) => into_section(path, rest),
        Some(Place::SectionList) => into_list(path, rest),
        Some(Place::Key(_, key)) if key.kind == Kind::List => into_list(path, rest),
        Some(Place::Key(_, key)) if key.kind == Kind::Map => into_map(path, rest),
        _ => Named::Nothing,
    }
}

/// Tries the longest names first: `max_retries` before a key `max` with something below it.
fn into_section(path: &KeyPath, rest: &str) -> Named {
    let mut names: Vec<(String, &str)> = spellings(path);
    names.sort_by_key(|(spelling, _)| std::cmp::Reverse(spelling.len()));
    let mut found = names.iter().filter_map(|(spelling, name)| {
        let after = strip_name(rest, spelling)?;
        Some(descend(&path.name(name), after)).filter(|named| *named != Named::Nothing)
    });
    found.next().unwrap_or(Named::Nothing)
}

/// The names below a path as variables spell them, each with its key.
fn spellings(path: &KeyPath) -> Vec<(String, &'static str)> {
    let names = keys::names_below(&path.pattern());
    let go_name = |name: &&'static str| {
        let pattern = path.name(name).pattern();
        GO_NAMES.iter().find(|(key, _)| *key == pattern).map(|(_, field)| ((*field).to_owned(), *name))
    };
    let by_field: Vec<_> = names.iter().filter_map(go_name).collect();
    names.iter().map(|name| (name.to_ascii_uppercase(), *name)).chain(by_field).collect()
}

/// What is left of a variable's name after a step with the `_` behind it.
fn strip_name<'a>(rest: &'a str, spelling: &str) -> Option<&'a str> {
    let (head, after) = rest.split_at_checked(spelling.len())?;
    if !head.eq_ignore_ascii_case(spelling) {
        return None;
    }
    if after.is_empty() { Some(after) } else { after.strip_prefix('_').filter(|after| !after.is_empty()) }
}

fn into_list(path: &KeyPath, rest: &str) -> Named {
    let (index, after) = rest.split_once('_').unwrap_or((rest, ""));
    match index.parse() {
        Ok(at) => descend(&path.item(at), after),
        Err(_) => Named::NotAnIndex { list: path.clone(), found: index.to_owned() },
    }
}

/// An entry of a map, or an item of the list that is its value.
fn into_map(path: &KeyPath, rest: &str) -> Named {
    let name = rest.to_ascii_lowercase();
    let item = name.rsplit_once('_').and_then(|(name, at)| Some((name, at.parse().ok()?)));
    match item {
        Some((name, at)) => Target::plain(path.name(name).item(at)),
        None => Target::plain(path.name(&name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path_of(name: &str) -> String {
        match find(name) {
            Named::Target(target) if target.in_file => format!("{} in a file", target.path),
            Named::Target(target) => target.path.to_string(),
            Named::NotAnIndex { list, found } => format!("{list} has no {found}"),
            Named::Nothing => "nothing".to_owned(),
        }
    }

    #[test]
    fn a_name_leads_to_the_key_that_it_spells() {
        for (name, path) in [
            ("HTTP_TLS_KEY", "http.tls.key"),
            ("LOGLEVEL", "loglevel"),
            ("STORAGE", "storage"),
            ("STORAGE_MAINTENANCE_READONLY", "storage.maintenance.readonly"),
            ("STORAGE_AZURE_MAX_RETRIES", "storage.azure.max_retries"),
            ("STORAGE_AZURE_CREDENTIALS_CLIENTID", "storage.azure.credentials.clientid"),
            ("STORAGE_GCS_CREDENTIALS_PROJECT_ID", "storage.gcs.credentials.project_id"),
            ("REDIS_TLS_ROOTCAS_0", "redis.tls.rootcas[0]"),
            ("REDIS_ENABLETLS", "redis.enableTLS"),
            ("HTTP_HEADERS_Access-Control-Allow-Origin", "http.headers.access-control-allow-origin"),
            ("HTTP_HEADERS_X-A_1", "http.headers.x-a[1]"),
            ("MIDDLEWARE_STORAGE", "middleware.storage"),
            ("MIDDLEWARE_STORAGE_0_OPTIONS_BASEURL", "middleware.storage[0].options.baseurl"),
        ] {
            assert_eq!(path_of(name), path, "{name}");
        }
    }

    #[test]
    fn the_names_of_go_fields_lead_to_the_same_keys() {
        for (field, key, path) in [
            ("EVENTCONFIG_INCLUDEREFERENCES", "EVENTS_INCLUDEREFERENCES", "events.includereferences"),
            ("ENDPOINTS_0_URL", "ENDPOINTS_0_URL", "endpoints[0].url"),
        ] {
            assert_eq!(path_of(&format!("NOTIFICATIONS_{field}")), format!("notifications.{path}"));
            assert_eq!(path_of(&format!("NOTIFICATIONS_{key}")), format!("notifications.{path}"));
        }
        for (field, key, path) in [
            ("FILECHECKERS_0_FILE", "FILE_0_FILE", "file[0].file"),
            ("HTTPCHECKERS_0_URI", "HTTP_0_URI", "http[0].uri"),
            ("TCPCHECKERS_0_ADDR", "TCP_0_ADDR", "tcp[0].addr"),
        ] {
            assert_eq!(path_of(&format!("HEALTH_{field}")), format!("health.{path}"));
            assert_eq!(path_of(&format!("HEALTH_{key}")), format!("health.{path}"));
        }
        assert_eq!(path_of("LOG_HOOKS_0_MAILOPTIONS_SMTP_ADDR"), "log.hooks[0].options.smtp.addr");
    }

    #[test]
    fn a_secret_may_stand_in_a_file_and_nothing_else() {
        assert_eq!(path_of("HTTP_SECRET_FILE"), "http.secret in a file");
        assert_eq!(path_of("REDIS_PASSWORD_FILE"), "redis.password in a file");
        assert_eq!(
            path_of("NOTIFICATIONS_ENDPOINTS_0_HEADERS_AUTHORIZATION_FILE"),
            "notifications.endpoints[0].headers.authorization in a file"
        );
        assert_eq!(path_of("HTTP_ADDR_FILE"), "nothing");
        assert_eq!(path_of("HEALTH_FILECHECKERS_0_FILE"), "health.file[0].file");
    }

    #[test]
    fn a_list_needs_the_number_of_an_item() {
        assert_eq!(path_of("NOTIFICATIONS_ENDPOINTS_URL"), "notifications.endpoints has no URL");
        assert_eq!(path_of("HTTP_TLS_CLIENTCAS_A"), "http.tls.clientcas has no A");
    }

    #[test]
    fn what_is_no_key_leads_nowhere() {
        for name in
            ["", "_", "COLOUR", "HTTP_", "HTTP_ADDRESS", "HTTP_ADDR_X", "VERSION", "PORT", "STORAGE_S3_FOO"]
        {
            assert_eq!(path_of(name), "nothing", "{name}");
        }
    }
}
