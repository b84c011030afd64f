//! `BackendTLSPolicy` `NAME`: lets gateways speak TLS to the Service, and tells them what to verify the certificate with.

use serde_json::{Value, json};

use crate::{apply::Desired, children::Kind, registry::validate::Validated};

pub(super) fn backend_tls_policy(validated: &Validated, ca: Option<&str>) -> Desired<Value> {
    let Validated { identity, spec, exposure, .. } = validated;
    let needed = spec.gateway.is_some() && !spec.tls.disabled;
    if !needed || !exposure.served.has(Kind::BackendTLSPolicy) {
        return Desired::Absent;
    }
    let mut validation = json!({"hostname": validated.dns_name()});
    match ca {
        Some(_) => {
            let bundle = json!({"group": "", "kind": "ConfigMap", "name": identity.child("ca")});
            validation["caCertificateRefs"] = json!([bundle]);
        }
        None => validation["wellKnownCACertificates"] = json!("System"),
    }
    Desired::Present(json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "BackendTLSPolicy",
        "metadata": identity.owned(identity.name.clone()),
        "spec": {
            "targetRefs": [{"group": "", "kind": "Service", "name": identity.name}],
            "validation": validation,
        },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::validated;

    fn built(spec: &str, ca: Option<&str>) -> Desired<Value> {
        let mut validated = validated(spec);
        validated.exposure.served = [Kind::BackendTLSPolicy].into_iter().collect();
        backend_tls_policy(&validated, ca)
    }

    const SPEC: &str = "{host: 'hub.example.com:8443', gateway: {parentRefs: [{name: web}]}}";

    #[test]
    fn the_certificate_is_verified_by_our_authority_or_a_public_one() {
        let Desired::Present(policy) = built(SPEC, Some("CA")) else { panic!() };
        assert_eq!(
            policy["spec"],
            json!({
                "targetRefs": [{"group": "", "kind": "Service", "name": "hub"}],
                "validation": {
                    "hostname": "hub.example.com",
                    "caCertificateRefs": [{"group": "", "kind": "ConfigMap", "name": "hub-ca"}],
                },
            })
        );
        let Desired::Present(policy) = built(SPEC, None) else { panic!() };
        assert_eq!(
            policy["spec"]["validation"],
            json!({"hostname": "hub.example.com", "wellKnownCACertificates": "System"})
        );
    }

    #[test]
    fn there_is_none_without_a_gateway_or_without_tls() {
        assert_eq!(built("{}", Some("CA")), Desired::Absent);
        let plain = "{host: a.example, gateway: {parentRefs: [{name: web}]}, tls: {disabled: true}}";
        assert_eq!(built(plain, None), Desired::Absent);
    }
}
