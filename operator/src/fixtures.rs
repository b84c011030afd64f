//! What the unit tests start from.

use std::{sync::Arc, time::Duration};

use berth_crds::{Registry, RegistryAccess};
use serde_json::json;

use crate::{
    registry::{authority::Periods, build::Settings, observe::Observed, validate::Validated},
    token_issuer::TokenIssuer,
};

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

/// A RegistryAccess for the Registry `hub`, with the rest of its spec in YAML.
pub(crate) fn access(namespace: &str, name: &str, spec: &str) -> RegistryAccess {
    let mut spec: serde_json::Value = serde_yaml::from_str(spec).unwrap();
    spec["registryRef"] = json!({"name": "hub", "namespace": "default"});
    serde_json::from_value(json!({
        "apiVersion": "berth.dev/v1alpha1",
        "kind": "RegistryAccess",
        "metadata": {"name": name, "namespace": namespace, "uid": format!("{namespace}-{name}"), "generation": 1},
        "spec": spec,
    }))
    .unwrap()
}

/// What validation makes of [`registry`] when nothing exists yet but what the spec refers to is in order.
pub(crate) fn validated(spec: &str) -> Validated {
    Validated::of(&registry(spec))
}

/// The same in a cluster that publishes who signs the tokens of its ServiceAccounts.
pub(crate) fn with_token_issuer(spec: &str) -> Validated {
    let issuer = TokenIssuer {
        issuer: "https://kubernetes.default.svc.cluster.local".to_owned(),
        jwks: "{\"keys\":[]}\n".to_owned(),
    };
    Validated::of_observed(
        &registry(spec),
        &Observed { token_issuer: Some(Ok(Arc::new(issuer))), ..Observed::default() },
    )
}

pub(crate) fn settings() -> Settings {
    Settings {
        image: "registry.example/berth-registry:1".to_owned(),
        image_pull_policy: "IfNotPresent".to_owned(),
        rotation: Periods { trust: Duration::from_hours(1), grace: Duration::from_hours(24) },
        node_agent: None,
    }
}
