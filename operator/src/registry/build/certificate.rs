//! Certificate `NAME-cert-manager`: the request to cert-manager for the serving certificate. How long that lasts and when
//! it is renewed is left to cert-manager.

use std::net::IpAddr;

use serde_json::{Value, json};

use crate::{apply::Desired, registry::validate::Validated};

pub(super) fn certificate(validated: &Validated) -> Desired<Value> {
    let (names, issuer) = match (&validated.tls.requested, &validated.spec.tls.issuer_ref) {
        (Desired::Present(names), Some(issuer)) => (names, issuer),
        (Desired::AsIs, _) => return Desired::AsIs,
        _ => return Desired::Absent,
    };
    let identity = &validated.identity;
    let name = identity.child("cert-manager");
    let (addresses, names): (Vec<&String>, Vec<&String>) =
        names.iter().partition(|name| name.parse::<IpAddr>().is_ok());
    let mut spec = json!({
        "secretName": name,
        "issuerRef": issuer,
        "usages": ["digital signature", "key encipherment", "server auth"],
    });
    for (key, names) in [("dnsNames", names), ("ipAddresses", addresses)] {
        if !names.is_empty() {
            spec[key] = json!(names);
        }
    }
    Desired::Present(json!({
        "apiVersion": "cert-manager.io/v1",
        "kind": "Certificate",
        "metadata": identity.owned(name),
        "spec": spec,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        children::Kind,
        fixtures,
        registry::{observe::Observed, validate},
    };

    fn desired(spec: &str, cert_manager: bool) -> Desired<Value> {
        let served = cert_manager.then_some(Kind::Certificate).into_iter().collect();
        let observed = Observed { served, ..Observed::default() };
        let now = "2026-03-01T00:00:00Z".parse().unwrap();
        certificate(&validate::validate(&fixtures::registry(spec), &observed, now))
    }

    #[test]
    fn the_issuer_is_asked_for_names_and_addresses() {
        let Desired::Present(certificate) = desired(
            "{tls: {issuerRef: {name: ours, kind: ClusterIssuer}, sans: [10.0.0.7, hub.example]}}",
            true,
        ) else {
            panic!("there is no Certificate")
        };
        assert_eq!(
            certificate["spec"],
            json!({
                "secretName": "hub-cert-manager",
                "issuerRef": {"name": "ours", "kind": "ClusterIssuer", "group": "cert-manager.io"},
                "usages": ["digital signature", "key encipherment", "server auth"],
                "dnsNames": [
                    "hub", "hub.default", "hub.default.svc", "hub.default.svc.cluster.local", "hub.example",
                ],
                "ipAddresses": ["10.0.0.7"],
            })
        );
    }

    #[test]
    fn a_request_is_withdrawn_where_there_is_cert_manager_and_otherwise_left() {
        assert_eq!(desired("{}", true), Desired::Absent);
        assert_eq!(desired("{}", false), Desired::AsIs);
        assert_eq!(desired("{tls: {issuerRef: {name: ours}}}", false), Desired::AsIs);
    }
}
