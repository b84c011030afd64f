//! What the unit tests start from.

use std::time::Duration;

use berth_crds::Registry;
use serde_json::json;

use crate::registry::{authority::Periods, build::Settings, validate::Validated};

/// The Registry `hub` in the namespace `default`, with a spec in YAML.
pub(crate) fn registry(spec: &str) -> Registry {
    let spec: serde_json::Value = serde_yaml::from_str(spec).unwrap();
    serde_json::from_value(json!({
        "apiVersion": "berth.dev/v1alpha1",
        "kind": "Registry",
        "metadata": {"name": "hub", "namespace": "default", "uid": "4f6c", "generation": 1},
        "spec": spec,
    }))
    .unwrap()
}

/// What validation makes of [`registry`] when nothing exists yet but what the spec refers to is in order.
pub(crate) fn validated(spec: &str) -> Validated {
    Validated::of(&registry(spec))
}

pub(crate) fn settings() -> Settings {
    Settings {
        image: "registry.example/berth-registry:1".to_owned(),
        image_pull_policy: "IfNotPresent".to_owned(),
        rotation: Periods { trust: Duration::from_hours(1), grace: Duration::from_hours(24) },
    }
}
