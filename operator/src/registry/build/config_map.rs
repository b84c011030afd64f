//! The `ConfigMaps`: the registry's configuration file, and the certificate authority for clients.

use serde_json::{Map, Value, json};

use super::{access_rules::open_to_all, bucket, mirrors, retention, secret::JWKS_KEY};
use crate::{apply::Desired, metadata::Identity, registry::validate::Validated};

/// Where the container finds its files.
pub(in crate::registry) const CONFIG_DIRECTORY: &str = "/etc/berth/config";
pub(in crate::registry) const AUTH_DIRECTORY: &str = "/etc/berth/auth";
pub(in crate::registry) const TLS_DIRECTORY: &str = "/etc/berth/tls";
pub(super) const DATA_DIRECTORY: &str = "/var/lib/registry";

/// The name of the configuration file.
pub const CONFIG_FILE: &str = "config.yml";

/// The file of access rules there.
pub(in crate::registry) const ACCESS_RULES: &str = "access.yml";

/// For so long a pod that is about to go is still sent connections by nodes that have not heard of it.
const DRAIN_DELAY: &str = "5s";

/// The port that the registry listens on.
pub(super) const PORT: u16 = 5000;

/// The port of metrics, and of what is loaded.
pub(in crate::registry) const METRICS_PORT: u16 = 5001;

/// The registry's configuration file. It is JSON, which is YAML too.
pub(super) fn config_file(validated: &Validated) -> String {
    let Validated { identity, spec, .. } = validated;
    // Clients come by several names, and some through a proxy that changes scheme and host: relative addresses lead back the
    // way that each came. What has to be absolute, as the realm of tokens, follows `X-Forwarded-Proto` and `-Host`.
    let mut http = json!({
        "addr": format!(":{PORT}"),
        "debug": {"addr": format!(":{METRICS_PORT}"), "prometheus": {"enabled": true, "path": "/metrics"}},
        "relativeurls": true,
        "draindelay": DRAIN_DELAY,
    });
    if !spec.tls.disabled {
        http["tls"] = json!({
            "certificate": format!("{TLS_DIRECTORY}/tls.crt"),
            "key": format!("{TLS_DIRECTORY}/tls.key"),
        });
    }
    let mut config = json!({
        "version": 0.1,
        "log": {
            "level": spec.log_level,
            "formatter": "json",
            "fields": {"service": "registry", "registry": format!("{}/{}", identity.namespace, identity.name)},
        },
        "storage": {
            "delete": {"enabled": true},
            "maintenance": {"readonly": {"enabled": spec.read_only}},
        },
        "http": http,
        "auth": {"htpasswd": {
            "realm": "Berth",
            "path": format!("{AUTH_DIRECTORY}/htpasswd"),
            // While a password is being replaced, a user has two.
            "overlap": true,
        }},
        "access": {"path": format!("{AUTH_DIRECTORY}/{ACCESS_RULES}")},
    });
    let (driver, section) = match &spec.storage.s3 {
        Some(s3) => ("s3", bucket::section(s3, validated.storage.files.as_ref())),
        None => ("filesystem", json!({"rootdirectory": DATA_DIRECTORY})),
    };
    config["storage"][driver] = section;
    if !open_to_all(spec).is_empty() {
        // A client without a password asks for a token, which also somebody unknown gets.
        config["tokens"] = json!({"enabled": true});
    }
    if let Some(issuer) = &validated.service_accounts.issuer {
        config["serviceaccounts"] = json!({
            "issuer": issuer.issuer,
            "audiences": [validated.host],
            "keys": format!("{AUTH_DIRECTORY}/{JWKS_KEY}"),
        });
    }
    retention::add(&mut config, &validated.retention);
    mirrors::add(&mut config, &validated.mirrors);
    format!("{config:#}\n")
}

pub(super) fn config(identity: &Identity, config: &str) -> Value {
    config_map(identity, "config", CONFIG_FILE, config)
}

pub(super) fn ca_bundle(identity: &Identity, ca: Option<&str>) -> Desired<Value> {
    ca.map_or(Desired::Absent, |ca| Desired::Present(config_map(identity, "ca", "ca.crt", ca)))
}

fn config_map(identity: &Identity, suffix: &str, key: &str, text: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": identity.owned(identity.child(suffix)),
        "data": Map::from_iter([(key.to_owned(), text.into())]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{validated, with_token_issuer};

    fn parsed(spec: &str) -> Value {
        serde_yaml::from_str(&config_file(&validated(spec))).unwrap()
    }

    #[test]
    fn the_configuration_is_what_the_registry_reads() {
        assert_eq!(
            parsed("{}"),
            json!({
                "version": 0.1,
                "log": {"level": "info", "formatter": "json", "fields": {"service": "registry", "registry": "default/hub"}},
                "storage": {
                    "filesystem": {"rootdirectory": "/var/lib/registry"},
                    "delete": {"enabled": true},
                    "maintenance": {"readonly": {"enabled": false}},
                },
                "http": {
                    "addr": ":5000",
                    "debug": {"addr": ":5001", "prometheus": {"enabled": true, "path": "/metrics"}},
                    "relativeurls": true,
                    "draindelay": "5s",
                    "tls": {"certificate": "/etc/berth/tls/tls.crt", "key": "/etc/berth/tls/tls.key"},
                },
                "auth": {"htpasswd": {"realm": "Berth", "path": "/etc/berth/auth/htpasswd", "overlap": true}},
                "access": {"path": "/etc/berth/auth/access.yml"},
            })
        );
    }

    #[test]
    fn the_spec_shows_in_the_configuration() {
        let config = parsed("{logLevel: debug, readOnly: true, tls: {disabled: true}}");
        assert_eq!(config["log"]["level"], "debug");
        assert_eq!(config["storage"]["maintenance"]["readonly"]["enabled"], true);
        assert!(config["http"].get("tls").is_none());
    }

    #[test]
    fn whoever_shows_no_password_gets_a_token_where_everybody_may_pull() {
        assert_eq!(parsed("{access: {anonymousPull: true}}")["tokens"], json!({"enabled": true}));
        let open = "{mirrors: [{upstream: a, anonymousPull: true}]}";
        assert_eq!(parsed(open)["tokens"], json!({"enabled": true}));
        assert!(parsed("{mirrors: [{upstream: a}]}").get("tokens").is_none());
    }

    #[test]
    fn service_accounts_log_in_with_tokens_that_are_for_the_host() {
        let config: Value = serde_yaml::from_str(&config_file(&with_token_issuer("{}"))).unwrap();
        assert_eq!(
            config["serviceaccounts"],
            json!({
                "issuer": "https://kubernetes.default.svc.cluster.local",
                "audiences": ["hub.default.svc"],
                "keys": "/etc/berth/auth/jwks.json",
            })
        );
    }

    #[test]
    fn images_in_a_bucket_are_on_no_volume() {
        let config = parsed("{storage: {s3: {bucket: images, region: eu-central-1}}}");
        assert_eq!(config["storage"]["s3"]["bucket"], "images");
        assert!(config["storage"].get("filesystem").is_none());
    }

    #[test]
    fn without_an_authority_there_is_nothing_to_publish() {
        assert_eq!(ca_bundle(&validated("{}").identity, None), Desired::Absent);
    }
}
