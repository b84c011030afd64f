//! The Secrets: certificates, the two generated users, and what the registry reads to tell users apart.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

use crate::{
    apply::Desired,
    metadata::Identity,
    registry::{
        certificates::KeyPair,
        credentials::{ADMIN, PULL, Password},
        issue::Certificates,
        validate::Validated,
    },
};

/// Who may do what: the administrator everything, the pull user pull, and everybody else push and pull.
const ACCESS: &str = r#"rules:
- users: [admin]
  repositories: ["**"]
  actions: [pull, push, delete, administer]
- users: [pull]
  repositories: ["**"]
  actions: [pull]
- users: ["*"]
  repositories: ["**"]
  actions: [pull, push]
"#;

pub(super) fn authority(identity: &Identity, certificates: &Certificates) -> Desired<Value> {
    match certificates {
        Certificates::Own { authority, .. } => Desired::Present(pair(identity, "ca", authority, None)),
        Certificates::AsIs { .. } => Desired::AsIs,
        Certificates::Provided { .. } | Certificates::None => Desired::Absent,
    }
}

pub(super) fn serving_certificate(identity: &Identity, certificates: &Certificates) -> Desired<Value> {
    match certificates {
        Certificates::Own { serving, .. } | Certificates::Provided { serving, .. } => {
            Desired::Present(pair(identity, "tls", serving, certificates.ca()))
        }
        Certificates::AsIs { .. } => Desired::AsIs,
        Certificates::None => Desired::Absent,
    }
}

fn pair(identity: &Identity, suffix: &str, pair: &KeyPair, ca: Option<&str>) -> Value {
    let keys = [("tls.crt", Some(pair.certificate.as_str())), ("tls.key", Some(&pair.key)), ("ca.crt", ca)];
    secret(identity, suffix, "kubernetes.io/tls", keys)
}

pub(super) fn admin(validated: &Validated, password: &Password, ca: Option<&str>) -> Value {
    account(validated, ADMIN, password, ca)
}

pub(super) fn pull(validated: &Validated, password: &Password, ca: Option<&str>) -> Value {
    account(validated, PULL, password, ca)
}

/// One Secret for every way of logging in: `imagePullSecrets` and build tools read `.dockerconfigjson`, scripts the
/// other keys.
fn account(validated: &Validated, user: &str, password: &Password, ca: Option<&str>) -> Value {
    let Validated { identity, host, .. } = validated;
    let password = password.as_str();
    let auth = STANDARD.encode(format!("{user}:{password}"));
    let credentials = json!({"username": user, "password": password, "auth": auth});
    // Pods that were made before the registry had its public name go on pulling by the other.
    let hosts = validated.hosts().into_iter().map(|host| (host.to_owned(), credentials.clone()));
    let login = json!({"auths": hosts.collect::<Map<_, _>>()});
    let keys = [
        (".dockerconfigjson", Some(login.to_string())),
        ("host", Some(host.clone())),
        ("username", Some(user.to_owned())),
        ("password", Some(password.to_owned())),
        ("ca.crt", ca.map(str::to_owned)),
    ];
    secret(identity, user, "kubernetes.io/dockerconfigjson", keys)
}

pub(super) fn auth(identity: &Identity, htpasswd: &str) -> Value {
    secret(identity, "auth", "Opaque", [("htpasswd", Some(htpasswd)), ("access.yml", Some(ACCESS))])
}

/// A Secret with those keys that have a value.
fn secret<const N: usize, V: AsRef<str>>(
    identity: &Identity,
    suffix: &str,
    kind: &str,
    keys: [(&str, Option<V>); N],
) -> Value {
    let set = keys.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
    let data: Map<String, Value> =
        set.map(|(key, value)| (key, STANDARD.encode(value.as_ref()).into())).collect();
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": identity.owned(identity.child(suffix)),
        "type": kind,
        "data": data,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fixtures::validated, registry::credentials::tests as credentials};

    fn decoded(secret: &Value, key: &str) -> String {
        String::from_utf8(STANDARD.decode(secret["data"][key].as_str().unwrap()).unwrap()).unwrap()
    }

    fn password() -> Password {
        Password::kept_or_new(Some(&credentials::secret([("password", "s3cret")]))).unwrap()
    }

    #[test]
    fn an_account_serves_every_way_of_logging_in() {
        let secret = admin(&validated("{}"), &password(), Some("CA"));
        assert_eq!(secret["metadata"]["name"], "hub-admin");
        assert_eq!(secret["type"], "kubernetes.io/dockerconfigjson");
        assert_eq!(decoded(&secret, "username"), "admin");
        assert_eq!(decoded(&secret, "password"), "s3cret");
        assert_eq!(decoded(&secret, "host"), "hub.default.svc");
        assert_eq!(decoded(&secret, "ca.crt"), "CA");
        let login: Value = serde_json::from_str(&decoded(&secret, ".dockerconfigjson")).unwrap();
        assert_eq!(
            login,
            json!({"auths": {"hub.default.svc": {
                "username": "admin", "password": "s3cret", "auth": STANDARD.encode("admin:s3cret"),
            }}})
        );
    }

    #[test]
    fn a_public_name_is_logged_in_to_beside_that_of_the_service() {
        let secret = pull(&validated("{host: 'hub.example.com:8443'}"), &password(), None);
        assert_eq!(decoded(&secret, "host"), "hub.example.com:8443");
        let login: Value = serde_json::from_str(&decoded(&secret, ".dockerconfigjson")).unwrap();
        assert_eq!(login["auths"]["hub.example.com:8443"]["password"], "s3cret");
        assert_eq!(login["auths"]["hub.default.svc"], login["auths"]["hub.example.com:8443"]);
    }

    #[test]
    fn without_an_authority_there_is_no_key_for_it() {
        let secret = pull(&validated("{tls: {disabled: true}}"), &password(), None);
        assert!(secret["data"].get("ca.crt").is_none());
        assert_eq!(decoded(&secret, "host"), "hub.default.svc:443");
    }

    #[test]
    fn the_rights_are_yaml() {
        let access: Value = serde_yaml::from_str(ACCESS).unwrap();
        assert_eq!(access["rules"][0]["users"], json!(["admin"]));
        assert_eq!(access["rules"][1]["actions"], json!(["pull"]));
        assert_eq!(access["rules"].as_array().unwrap().len(), 3);
    }

    #[test]
    fn the_authoritys_key_goes_away_with_the_authority() {
        let identity = validated("{}").identity;
        assert_eq!(authority(&identity, &Certificates::None), Desired::Absent);
        assert_eq!(serving_certificate(&identity, &Certificates::AsIs { ca: None }), Desired::AsIs);
    }
}
