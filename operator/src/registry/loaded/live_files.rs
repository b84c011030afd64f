//! Which files every replica is to have loaded: those that the configuration makes a registry follow, as the Secrets and the
//! ConfigMap of the Registry hold them now.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};

use super::Replica;
use crate::{
    children::Children,
    digest::sha256_hex,
    metadata::Identity,
    registry::build::{AUTH_DIRECTORY, CONFIG_DIRECTORY, CONFIG_FILE, Objects, TLS_DIRECTORY},
};

/// The digest of each file, by its path in the container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LiveFiles(BTreeMap<String, String>);

impl LiveFiles {
    /// The files as they are in `children`.
    pub fn of(identity: &Identity, children: &Children) -> Self {
        let ids = Objects::ids(identity);
        let Some(config) = children.get::<ConfigMap>(&ids.config.name).and_then(configuration) else {
            return Self::default();
        };
        let secrets = [(AUTH_DIRECTORY, &ids.auth), (TLS_DIRECTORY, &ids.serving_certificate)];
        let in_secrets = secrets.into_iter().flat_map(|(directory, id)| {
            let data = children.get::<Secret>(&id.name).and_then(|secret| secret.data).unwrap_or_default();
            data.into_iter().map(move |(key, content)| (format!("{directory}/{key}"), digest(&content.0)))
        });
        // What the configuration does not name is mounted beside the rest, and not read.
        let mut files: BTreeMap<_, _> =
            in_secrets.filter(|(path, _)| config.contains(&format!("\"{path}\""))).collect();
        files.insert(format!("{CONFIG_DIRECTORY}/{CONFIG_FILE}"), digest(config.as_bytes()));
        Self(files)
    }

    /// One file with this digest.
    #[cfg(test)]
    pub(crate) fn of_one(path: &str, digest: &str) -> Self {
        Self([(path.to_owned(), digest.to_owned())].into())
    }

    /// Stands for all of them, short enough for an annotation.
    pub fn hash(&self) -> String {
        let lines: Vec<String> = self.0.iter().map(|(path, digest)| format!("{path}={digest}")).collect();
        sha256_hex(lines.join("\n").as_bytes()).chars().take(16).collect()
    }

    /// Whether a replica says that it has loaded all of them.
    pub fn are_in(&self, replica: &Replica) -> bool {
        self.0.iter().all(|(path, digest)| replica.has(path, digest))
    }
}

fn configuration(config: ConfigMap) -> Option<String> {
    config.data?.remove(CONFIG_FILE)
}

/// The digest of a file's content as replicas tell it, for [`Loaded::all_have`](super::Loaded::all_have).
pub fn digest(content: &[u8]) -> String {
    format!("sha256:{}", sha256_hex(content))
}

#[cfg(test)]
mod tests {
    use k8s_openapi::ByteString;
    use serde_json::json;

    use super::*;
    use crate::{
        children::{ChildId, Kind},
        fixtures,
        registry::loaded::tests::loaded,
    };

    const CONFIG: &str = r#"{"auth": {"htpasswd": {"path": "/etc/berth/auth/htpasswd"}}}"#;

    fn children(users: &str) -> Children {
        let mut children = Children::default();
        let mut insert = |kind, name: &str, object: serde_json::Value| {
            children.insert(ChildId::new(kind, name.to_owned()), serde_json::from_value(object).unwrap());
        };
        let bytes = |text: &str| ByteString(text.as_bytes().to_vec());
        insert(
            Kind::Secret,
            "hub-auth",
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {}, "data": {"htpasswd": bytes(users), "notes": bytes("")}}),
        );
        insert(
            Kind::ConfigMap,
            "hub-config",
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}, "data": {"config.yml": CONFIG}}),
        );
        children
    }

    fn files(users: &str) -> LiveFiles {
        LiveFiles::of(&Identity::of(&fixtures::registry("{}")), &children(users))
    }

    #[test]
    fn they_are_what_the_configuration_names_and_itself() {
        let paths: Vec<_> = files("a").0.into_keys().collect();
        assert_eq!(paths, ["/etc/berth/auth/htpasswd", "/etc/berth/config/config.yml"]);
    }

    #[test]
    fn another_content_is_another_hash() {
        assert_eq!(files("a").hash(), files("a").hash());
        assert_ne!(files("a").hash(), files("b").hash());
    }

    #[test]
    fn a_replica_has_them_when_it_has_each() {
        let (users, config) = (digest(b"a"), digest(CONFIG.as_bytes()));
        let both = [("/etc/berth/auth/htpasswd", &*users), ("/etc/berth/config/config.yml", &*config)];
        let one = |files| loaded(&[Ok(files)]).replicas.remove(0);
        assert!(files("a").are_in(&one(&both)));
        assert!(!files("b").are_in(&one(&both)));
        assert!(!files("a").are_in(&one(&both[..1])));
    }
}
