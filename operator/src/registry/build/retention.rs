//! The rules of retention in the registry's configuration, which takes them without a restart.

use serde_json::Value;

use crate::registry::validate::Retention;

/// Adds the section to a configuration.
pub(super) fn add(config: &mut Value, retention: &Retention) {
    if let Some(section) = &retention.section {
        config[Retention::SECTION] = section.clone();
    }
}
