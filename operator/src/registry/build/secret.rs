//! The Secrets: certificates, the two generated users, the accounts, and what the registry reads to tell users apart.

use base64::{Engine, engine::general_purpose::STANDARD};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Map, Value, json};

use super::config_map::ACCESS_RULES;
use crate::{
    apply::Desired,
    metadata::Identity,
    registry::{
        accounts::{Accounts, KEY},
        authority,
        certificates::KeyPair,
        credentials::{ADMIN, PULL, Password},
        issue::{Auth, Certificates},
        validate::{USERS, Validated},
    },
};

/// The key of what verifies tokens of ServiceAccounts.
pub const JWKS_KEY: &str = "jwks.json";

pub(super) fn authority(identity: &Identity, certificates: &Certificates) -> Desired<Value> {
    match certificates {
        Certificates::Own { authority, .. } => {
            Desired::Present(secret(identity, "ca", "kubernetes.io/tls", authority::data(authority)))
        }
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

fn account(validated: &Validated, user: &str, password: &Password, ca: Option<&str>) -> Value {
    let identity = &validated.identity;
    let hosts = &validated.hosts();
    login(&identity.owned(identity.child(user)), Login { hosts, user, password, ca })
}

/// What it takes to log in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Login<'a> {
    /// The names of the registry, that of image references first.
    pub(crate) hosts: &'a [&'a str],
    pub(crate) user: &'a str,
    pub(crate) password: &'a Password,
    pub(crate) ca: Option<&'a str>,
}

/// One Secret for every way of logging in: `imagePullSecrets` and build tools read `.dockerconfigjson`, scripts the
/// other keys.
pub(crate) fn login(metadata: &ObjectMeta, Login { hosts, user, password, ca }: Login<'_>) -> Value {
    let password = password.as_str();
    let auth = STANDARD.encode(format!("{user}:{password}"));
    let credentials = json!({"username": user, "password": password, "auth": auth});
    // Pods that were made before the registry had its public name go on pulling by the other.
    let auths: Map<_, _> = hosts.iter().map(|host| ((*host).to_owned(), credentials.clone())).collect();
    let login = json!({"auths": auths});
    let keys = [
        (".dockerconfigjson", Some(login.to_string())),
        ("host", hosts.first().map(|host| (*host).to_owned())),
        ("username", Some(user.to_owned())),
        ("password", Some(password.to_owned())),
        ("ca.crt", ca.map(str::to_owned)),
    ];
    secret_of(metadata, "kubernetes.io/dockerconfigjson", keys)
}

pub(super) fn accounts(identity: &Identity, accounts: &Accounts) -> Value {
    secret(identity, "accounts", "Opaque", [(KEY, Some(accounts.document()))])
}

pub(super) fn auth(validated: &Validated, auth: &Auth) -> Value {
    let keys = [
        ("htpasswd", Some(auth.htpasswd.as_str())),
        (ACCESS_RULES, Some(&auth.access_rules)),
        (USERS, Some(&auth.users)),
        (JWKS_KEY, validated.service_accounts.issuer.as_deref().map(|issuer| &*issuer.jwks)),
    ];
    secret(&validated.identity, "auth", "Opaque", keys)
}

fn secret<const N: usize, V: AsRef<str>>(
    identity: &Identity,
    suffix: &str,
    kind: &str,
    keys: [(&str, Option<V>); N],
) -> Value {
    secret_of(&identity.owned(identity.child(suffix)), kind, keys)
}

/// A Secret with those keys that have a value.
fn secret_of<const N: usize, V: AsRef<str>>(
    metadata: &ObjectMeta,
    kind: &str,
    keys: [(&str, Option<V>); N],
) -> Value {
    let set = keys.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
    let data: Map<String, Value> =
        set.map(|(key, value)| (key, STANDARD.encode(value.as_ref()).into())).collect();
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata,
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
        Password::held_by(Some(&credentials::secret([("password", "s3cret")]))).unwrap()
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
    fn the_authoritys_key_goes_away_with_the_authority() {
        let identity = validated("{}").identity;
        assert_eq!(authority(&identity, &Certificates::None), Desired::Absent);
        assert_eq!(serving_certificate(&identity, &Certificates::AsIs { ca: None }), Desired::AsIs);
    }
}
