//! Overrides from `REGISTRY_*` environment variables.
//!
//! A variable is named after the path of its key, in capitals, with `_` for `.`: `REGISTRY_HTTP_TLS_KEY` is
//! `http.tls.key`. Among the keys whose name a variable begins with, the longest one is meant.

use serde_yaml::Value;

use super::{
    error::{Error, Origin},
    keys::{CHOICES, KEYS, Key, Kind},
    settings::Settings,
};

const PREFIX: &str = "REGISTRY_";

/// Variables with our prefix that are no settings: they configure the process or its client commands.
const OTHER_VARIABLES: &[&str] = &["CONFIGURATION_PATH", "GC_USERNAME", "GC_PASSWORD"];

/// What a variable sets.
#[derive(Debug, PartialEq, Eq)]
enum Target {
    /// A key, or an entry of a map (its path).
    Key { path: String, literal: bool },
    /// A group of keys by a YAML mapping, or a choice by its name.
    Group(String),
}

/// Lays the variables over the settings and returns the names of those that look like settings and are none.
pub(super) fn override_settings(
    settings: &mut Settings,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<Vec<String>, Error> {
    // Sorted by name, a group comes before its keys, so that the keys are laid over it.
    let mut variables: Vec<_> = variables.into_iter().filter(|(name, _)| name.starts_with(PREFIX)).collect();
    variables.sort();
    let mut ignored = Vec::new();
    for (name, value) in variables {
        let rest = &name[PREFIX.len()..];
        if value.is_empty() || OTHER_VARIABLES.contains(&rest) || is_service_link(rest) {
            continue;
        }
        match target(rest) {
            Some(target) => apply(settings, target, value, name)?,
            None => ignored.push(name),
        }
    }
    Ok(ignored)
}

/// Finds what a variable sets; the name is given without its prefix.
fn target(rest: &str) -> Option<Target> {
    let upper = rest.to_ascii_uppercase();
    let key = KEYS.iter().filter_map(|key| key_target(key, rest, &upper)).max_by_key(|(length, _)| *length);
    match key {
        Some((_, target)) => Some(target),
        None => group_target(&upper),
    }
}

/// The key's target, if the variable begins with the key's name, and how long that name is.
fn key_target(key: &Key, rest: &str, upper: &str) -> Option<(usize, Target)> {
    let name = variable_name(key.path);
    let after = upper.strip_prefix(&name)?;
    let literal = key.kind == Kind::Text;
    if after.is_empty() {
        return Some((name.len(), Target::Key { path: key.path.to_owned(), literal }));
    }
    let entry = rest.get(name.len()..)?.strip_prefix('_').filter(|entry| !entry.is_empty())?;
    let path = match key.kind {
        Kind::Map => format!("{}.{}", key.path, entry.to_ascii_lowercase()),
        Kind::Section => key.path.to_owned(),
        Kind::Text | Kind::Value => return None,
    };
    Some((name.len(), Target::Key { path, literal }))
}

fn group_target(upper: &str) -> Option<Target> {
    let mut groups = KEYS.iter().flat_map(|key| groups_of(key.path));
    groups.find(|group| variable_name(group) == upper).map(|group| Target::Group(group.to_owned()))
}

/// The enclosing groups of a key: `http` and `http.tls` for `http.tls.key`.
fn groups_of(path: &'static str) -> impl Iterator<Item = &'static str> {
    path.match_indices('.').map(|(dot, _)| &path[..dot])
}

fn variable_name(path: &str) -> String {
    path.to_ascii_uppercase().replace('.', "_")
}

/// Whether Kubernetes injected the variable, because a Service is called `registry` or `registry-…`.
fn is_service_link(rest: &str) -> bool {
    let words: Vec<&str> = rest.split('_').collect();
    let port_at = words.iter().position(|word| *word == "PORT");
    rest.ends_with("SERVICE_HOST")
        || rest.contains("SERVICE_PORT")
        || port_at.is_some_and(|at| words.get(at + 1).is_none_or(|next| next.parse::<u16>().is_ok()))
}

fn apply(settings: &mut Settings, target: Target, value: String, name: String) -> Result<(), Error> {
    let origin = Origin::Variable(name);
    match target {
        Target::Key { path, literal: true } => settings.lay(&path, Value::String(value), &origin),
        Target::Key { path, literal: false } => settings.lay(&path, yaml(&value, &origin)?, &origin),
        Target::Group(path) => match yaml(&value, &origin)? {
            Value::String(choice) if CHOICES.contains(&path.as_str()) => {
                settings.choose(&path, &choice, &origin)
            }
            value => {
                settings.remove(&path);
                settings.lay(&path, value, &origin)
            }
        },
    }
}

fn yaml(value: &str, origin: &Origin) -> Result<Value, Error> {
    serde_yaml::from_str(value).map_err(|source| Error::Syntax { origin: origin.clone(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variables: &[(&str, &str)]) -> (Settings, Vec<String>) {
        let mut settings = Settings::default();
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let ignored = override_settings(&mut settings, variables).unwrap();
        (settings, ignored)
    }

    #[test]
    fn a_variable_sets_the_key_that_it_is_named_after() {
        let (settings, ignored) = with(&[("REGISTRY_HTTP_TLS_KEY", "/certs/domain.key")]);
        assert_eq!(settings.text("http.tls.key").unwrap().as_deref(), Some("/certs/domain.key"));
        assert!(ignored.is_empty());
    }

    #[test]
    fn a_string_stays_a_string_even_if_it_looks_like_a_number() {
        let (settings, _) = with(&[("REGISTRY_HTTP_SECRET", "0123"), ("REGISTRY_HTTP_HOST", "1e5")]);
        assert_eq!(settings.text("http.secret").unwrap().as_deref(), Some("0123"));
        assert_eq!(settings.text("http.host").unwrap().as_deref(), Some("1e5"));
    }

    #[test]
    fn other_values_are_yaml() {
        let (settings, _) = with(&[
            ("REGISTRY_STORAGE_DELETE_ENABLED", "true"),
            ("REGISTRY_HTTP_HEADERS_Access-Control-Allow-Origin", "[\"*\"]"),
        ]);
        assert_eq!(settings.flag("storage.delete.enabled").unwrap(), Some(true));
        let (name, entry) = settings.map("http.headers")[0];
        assert_eq!(name, "access-control-allow-origin");
        assert!(entry.value.is_sequence());
    }

    #[test]
    fn the_name_of_an_alternative_selects_it_and_drops_the_section_of_the_file() {
        let mut settings = Settings::from_yaml(
            "storage: {inmemory: {}, delete: {enabled: true}}",
            std::path::Path::new("config.yml"),
        )
        .unwrap();
        let variables = [("REGISTRY_STORAGE".to_owned(), "filesystem".to_owned())];
        override_settings(&mut settings, variables).unwrap();
        assert!(settings.mentions("storage.filesystem"));
        assert!(!settings.mentions("storage.inmemory") && !settings.mentions("storage.delete"));
    }

    #[test]
    fn realm_and_path_alone_select_htpasswd() {
        let (settings, _) = with(&[
            ("REGISTRY_AUTH_HTPASSWD_REALM", "Registry Realm"),
            ("REGISTRY_AUTH_HTPASSWD_PATH", "/auth/htpasswd"),
        ]);
        assert_eq!(settings.chosen("auth", &["htpasswd"]), ["htpasswd"]);
    }

    #[test]
    fn a_group_is_set_by_a_mapping() {
        let (settings, _) = with(&[("REGISTRY_STORAGE_MAINTENANCE_READONLY", "{\"enabled\": true}")]);
        assert_eq!(settings.flag("storage.maintenance.readonly.enabled").unwrap(), Some(true));
    }

    #[test]
    fn variables_of_a_kubernetes_service_are_harmless() {
        let injected = [
            ("REGISTRY_PORT", "tcp://10.0.0.1:5000"),
            ("REGISTRY_PORT_5000_TCP_ADDR", "10.0.0.1"),
            ("REGISTRY_SERVICE_HOST", "10.0.0.1"),
            ("REGISTRY_SERVICE_PORT_HTTPS", "443"),
            ("REGISTRY_PROXY_PORT", "tcp://10.0.0.2:80"),
        ];
        let (settings, ignored) = with(&injected);
        assert!(ignored.is_empty() && !settings.mentions("proxy"), "{ignored:?}");
    }

    #[test]
    fn an_empty_variable_sets_nothing_and_an_unknown_one_is_reported() {
        let (settings, ignored) = with(&[("REGISTRY_HTTP_ADDR", ""), ("REGISTRY_COLOUR", "blue")]);
        assert!(settings.text("http.addr").unwrap().is_none());
        assert_eq!(ignored, ["REGISTRY_COLOUR"]);
    }
}
