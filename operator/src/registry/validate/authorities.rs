//! Certificate authorities that the spec refers to, of servers that a registry talks to: PEM under the key `ca.crt` of a Secret or
//! a ConfigMap.

use berth_crds::Reason;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};

use super::Finding;
use crate::registry::{certificates, credentials::text};

/// The key.
pub const AUTHORITIES: &str = "ca.crt";

/// Those of the Secret of this name, to which `field` of the spec refers.
pub(super) fn from_secret(field: &str, name: &str, secret: Option<&Secret>) -> Result<String, Finding> {
    let place = format!("Secret {name} of {field}");
    let secret = secret.ok_or_else(|| not_found(&place))?;
    certificates_in(&place, text(secret, AUTHORITIES))
}

/// The same of a ConfigMap.
pub(super) fn from_config_map(
    field: &str,
    name: &str,
    config_map: Option<&ConfigMap>,
) -> Result<String, Finding> {
    let place = format!("ConfigMap {name} of {field}");
    let config_map = config_map.ok_or_else(|| not_found(&place))?;
    certificates_in(&place, config_map.data.as_ref().and_then(|data| data.get(AUTHORITIES)).cloned())
}

fn not_found(place: &str) -> Finding {
    let message = format!(
        "{place} does not exist: create it with the authorities (PEM) under the key {AUTHORITIES}, or remove the field"
    );
    Finding::bad(Reason::AuthorityNotFound, message)
}

fn certificates_in(place: &str, pem: Option<String>) -> Result<String, Finding> {
    pem.filter(|pem| certificates::inspect(pem).is_ok()).ok_or_else(|| {
        let message = format!("{place} has no certificate (PEM) under the key {AUTHORITIES}: store it there");
        Finding::bad(Reason::InvalidAuthority, message)
    })
}
