//! Which settings of the configuration file a running registry takes over by itself when the file changes. A change of any other
//! one replaces the pods.

use serde_json::{Map, Value};

/// The keys that the server puts in force without a restart, whether the operator writes them or not yet. The server decides
/// about each key in `registry/src/reconfiguration.rs`; one that is missing here merely restarts pods.
const LIVE: [&str; 15] = [
    "log.level",
    "log.accesslog",
    "storage.delete",
    "storage.maintenance",
    "storage.redirect",
    "space",
    "trash",
    "retention",
    "mirrors",
    "validation",
    "http.host",
    "http.relativeurls",
    "http.headers",
    "http.secret",
    "serviceaccounts.audiences",
];

/// What of the configuration file is read only when a registry starts.
pub(super) fn without(config: &str) -> String {
    let Ok(mut config) = serde_json::from_str::<Value>(config) else { return config.to_owned() };
    for key in LIVE {
        if let Some(section) = config.as_object_mut() {
            remove(section, key);
        }
    }
    config.to_string()
}

fn remove(section: &mut Map<String, Value>, key: &str) {
    match key.split_once('.') {
        None => {
            section.remove(key);
        }
        Some((name, rest)) => {
            if let Some(below) = section.get_mut(name).and_then(Value::as_object_mut) {
                remove(below, rest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_running_registry_takes_over_is_left_out() {
        let config =
            json!({"version": 0.1, "log": {"level": "info", "formatter": "json"}, "trash": {"window": "1h"}});
        let left: Value = serde_json::from_str(&without(&config.to_string())).unwrap();
        assert_eq!(left, json!({"version": 0.1, "log": {"formatter": "json"}}));
    }

    #[test]
    fn what_cannot_be_read_counts_whole() {
        assert_eq!(without("log: {level: info}"), "log: {level: info}");
    }
}
