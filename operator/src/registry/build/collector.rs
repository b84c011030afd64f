//! Who collects garbage: ServiceAccount `NAME-gc`, which may do nothing in the cluster, and administer the registry.
//!
//! Its pods log in with a token that lives for an hour and that nobody stores. Where the registry takes no such tokens, they
//! log in as the user `admin`.

use serde_json::{Value, json};

use crate::{metadata::Identity, registry::validate::Validated};

/// The user of the registry whose password is a token of a ServiceAccount.
const USER: &str = "serviceaccount";
const DIRECTORY: &str = "/var/run/secrets/berth";

pub(super) fn service_account(identity: &Identity) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": identity.owned(identity.child("gc")),
        "automountServiceAccountToken": false,
    })
}

/// The name of the ServiceAccount in access rules.
pub(in crate::registry) fn user(identity: &Identity) -> String {
    format!("system:serviceaccount:{}:{}", identity.namespace, identity.child("gc"))
}

/// How a pod logs in.
pub(super) struct Login {
    pub(super) arguments: Vec<String>,
    pub(super) environment: Vec<Value>,
    /// A volume with its mount.
    pub(super) volume: Option<(Value, Value)>,
}

pub(super) fn login(validated: &Validated) -> Login {
    match validated.service_accounts.issuer {
        Some(_) => with_token(&validated.host),
        None => with_password(&validated.identity),
    }
}

fn with_token(host: &str) -> Login {
    let file = format!("{DIRECTORY}/token");
    let token = json!({"audience": host, "expirationSeconds": 3600, "path": "token"});
    Login {
        arguments: ["--username", USER, "--password-file", &file].map(str::to_owned).into(),
        environment: Vec::new(),
        volume: Some((
            json!({"name": "token", "projected": {"sources": [{"serviceAccountToken": token}]}}),
            json!({"name": "token", "mountPath": DIRECTORY, "readOnly": true}),
        )),
    }
}

fn with_password(identity: &Identity) -> Login {
    let secret = identity.child("admin");
    let variable = |name: &str, key: &str| json!({"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}});
    Login {
        arguments: Vec::new(),
        environment: vec![
            variable("REGISTRY_GC_USERNAME", "username"),
            variable("REGISTRY_GC_PASSWORD", "password"),
        ],
        volume: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{validated, with_token_issuer};

    #[test]
    fn it_logs_in_with_a_token_for_the_registry_alone() {
        let login = login(&with_token_issuer("{service: {port: 5000}}"));
        let file = "/var/run/secrets/berth/token";
        assert_eq!(login.arguments, ["--username", "serviceaccount", "--password-file", file]);
        let (volume, mount) = login.volume.unwrap();
        let source = &volume["projected"]["sources"][0]["serviceAccountToken"];
        assert_eq!(source["audience"], "hub.default.svc:5000");
        assert_eq!(
            format!("{}/{}", mount["mountPath"].as_str().unwrap(), source["path"].as_str().unwrap()),
            file
        );
        assert!(login.environment.is_empty());
    }

    #[test]
    fn it_logs_in_with_the_administrators_password_where_tokens_are_of_no_use() {
        let login = login(&validated("{}"));
        assert!(login.arguments.is_empty() && login.volume.is_none());
        let password = &login.environment[1];
        assert_eq!(password["name"], "REGISTRY_GC_PASSWORD");
        assert_eq!(password["valueFrom"]["secretKeyRef"], json!({"name": "hub-admin", "key": "password"}));
    }

    #[test]
    fn its_name_in_the_rules_is_that_of_its_service_account() {
        let identity = validated("{}").identity;
        assert_eq!(user(&identity), "system:serviceaccount:default:hub-gc");
        assert_eq!(service_account(&identity)["metadata"]["name"], "hub-gc");
        assert_eq!(service_account(&identity)["automountServiceAccountToken"], false);
    }
}
