//! The rules of retention in the registry's configuration, which takes them without a restart.

use serde_json::Value;

use crate::registry::validate::Retention;

/// Adds the section to a configuration.
pub(super) fn add(config: &mut Value, retention: &Retention) {
    if let Some(section) = &retention.section {
        config[Retention::SECTION] = section.clone();
    }
}

/// A configuration without the section: what needs a restart, as far as retention is concerned.
pub(super) fn without(config: &str) -> String {
    let Ok(Value::Object(mut rest)) = serde_json::from_str::<Value>(config) else {
        return config.to_owned();
    };
    match rest.remove(Retention::SECTION) {
        Some(_) => format!("{:#}\n", Value::Object(rest)),
        None => config.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn without_the_section_the_configuration_is_as_it_was_before() {
        let before = json!({"version": 0.1, "log": {"level": "info"}});
        let written = format!("{before:#}\n");
        let mut config = before;
        add(&mut config, &Retention { section: Some(json!({"rules": []})), finding: Ok(()) });
        assert_eq!(config["retention"]["rules"], json!([]));
        assert_eq!(without(&format!("{config:#}\n")), written);
        assert_eq!(without(&written), written);
    }
}
