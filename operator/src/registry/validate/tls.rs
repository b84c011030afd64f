//! The serving certificate of `spec.tls`.

use std::net::IpAddr;

use berth_crds::{Reason, RegistrySpec, service::ServiceType};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Service;

use super::{Finding, issuer, provided};
use crate::{
    apply::Desired,
    children::Kind,
    metadata::Identity,
    registry::{
        authority::{self, Periods},
        certificates::KeyPair,
        issue::Certificates,
        observe::Observed,
    },
};

/// The serving certificate.
#[derive(Debug)]
pub struct Tls {
    /// Where it comes from.
    pub certificate: Certificate,
    /// The DNS names and IP addresses that cert-manager is asked for a certificate for.
    pub requested: Desired<Vec<String>>,
    /// For the condition `TLSReady`.
    pub finding: Finding,
}

/// Where the serving certificate comes from.
#[derive(Debug, PartialEq, Eq)]
pub enum Certificate {
    /// The operator issues it for these DNS names and IP addresses.
    Own {
        /// Sorted, each once.
        names: Vec<String>,
        /// The value of the annotation that asks for another authority.
        rotate: Option<String>,
    },
    /// The user gave it, or cert-manager.
    Provided {
        /// Certificate and key, which belong together.
        pair: KeyPair,
        /// The certificate authority for clients, PEM, if the user gave one.
        authority: Option<String>,
    },
    /// The one that was given cannot be used; what is served already stays.
    AsIs,
    /// None: plain HTTP.
    Disabled,
}

impl Tls {
    /// Tells of a rotation instead, while one of the operator's authority is running.
    pub fn tell_rotation(&mut self, certificates: &Certificates, periods: Periods) {
        let (Certificate::Own { rotate, .. }, Certificates::Own { authority, .. }) =
            (&self.certificate, certificates)
        else {
            return;
        };
        if let Some(finding) = authority::finding(authority, rotate.as_deref(), periods) {
            self.finding = finding;
        }
    }
}

pub(super) fn validate(
    identity: &Identity,
    spec: &RegistrySpec,
    host: &str,
    rotate: Option<&str>,
    observed: &Observed,
    now: Timestamp,
) -> Tls {
    let tls = &spec.tls;
    if let Some(bad) = bad_name(&tls.sans) {
        return Tls { certificate: Certificate::AsIs, requested: Desired::AsIs, finding: bad };
    }
    let service: Option<Service> = observed.children.get(&identity.name);
    let names = names(identity, spec, host, service.as_ref());
    if let Some(issuer) = &tls.issuer_ref {
        let names = issuer::names(identity, host, names, &tls.sans);
        return issuer::validate(identity, issuer, host, names, observed, now);
    }
    let (certificate, finding) = match &tls.secret_name {
        _ if tls.disabled => disabled(),
        Some(name) => provided::validate(name, observed.certificate_secret.as_ref(), host, now),
        None => own(names, rotate),
    };
    let requested = if observed.served.has(Kind::Certificate) { Desired::Absent } else { Desired::AsIs };
    Tls { certificate, requested, finding }
}

fn disabled() -> (Certificate, Finding) {
    let message = "plain HTTP: passwords cross the network readable; remove spec.tls.disabled for TLS";
    (Certificate::Disabled, Finding::good(Reason::PlainHttp, message))
}

fn own(names: Vec<String>, rotate: Option<&str>) -> (Certificate, Finding) {
    let finding = Finding::good(Reason::Issued, "issued by the operator's own certificate authority");
    (Certificate::Own { names, rotate: rotate.map(str::to_owned) }, finding)
}

fn bad_name(sans: &[String]) -> Option<Finding> {
    let bad = sans.iter().find(|san| san.contains(':') && san.parse::<IpAddr>().is_err())?;
    let message =
        format!("spec.tls.sans: {bad:?} is neither a DNS name nor an IP address; write it without a port");
    Some(Finding::bad(Reason::InvalidSan, message))
}

/// Every name under which a client may reach the Service.
fn names(identity: &Identity, spec: &RegistrySpec, host: &str, service: Option<&Service>) -> Vec<String> {
    let Identity { name, namespace, .. } = identity;
    let mut names = vec![
        name.clone(),
        format!("{name}.{namespace}"),
        format!("{name}.{namespace}.svc"),
        format!("{name}.{namespace}.svc.cluster.local"),
        "localhost".to_owned(),
        "127.0.0.1".to_owned(),
        "::1".to_owned(),
    ];
    names.extend(service.and_then(|service| service.spec.as_ref()?.cluster_ips.clone()).unwrap_or_default());
    names.extend(spec.tls.sans.iter().map(|san| canonical(san)));
    names.push(canonical(host));
    if spec.service.kind == ServiceType::LoadBalancer {
        let addresses = service.map(load_balancer_addresses).unwrap_or_default();
        names.extend(addresses.iter().map(|address| canonical(address)));
    }
    names.sort();
    names.dedup();
    names
}

/// Where the load balancer of a Service listens: addresses, or names.
pub fn load_balancer_addresses(service: &Service) -> Vec<String> {
    let status = service.status.as_ref().and_then(|status| status.load_balancer.as_ref());
    let places = status.and_then(|balancer| balancer.ingress.as_deref()).unwrap_or_default();
    places.iter().filter_map(|place| place.hostname.clone().or_else(|| place.ip.clone())).collect()
}

/// An IP address in its shortest spelling, and a DNS name as it is.
pub(super) fn canonical(san: &str) -> String {
    san.parse::<IpAddr>().map_or_else(|_| san.to_owned(), |address| address.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        children::{ChildId, Kind},
        fixtures,
    };

    const HOST: &str = "hub.default.svc";

    fn now() -> Timestamp {
        "2026-03-01T00:00:00Z".parse().unwrap()
    }

    #[test]
    fn the_operators_certificate_names_the_service_in_every_way() {
        let registry = fixtures::registry("{tls: {sans: [registry.example.com, '2001:DB8:0::7']}}");
        let service = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "hub"},
            "spec": {"clusterIP": "10.96.0.7", "clusterIPs": ["10.96.0.7", "fd00::7"]},
        });
        let mut observed = Observed::default();
        let id = ChildId::new(Kind::Service, "hub".to_owned());
        observed.children.insert(id, serde_json::from_value(service).unwrap());
        let tls = validate(&Identity::of(&registry), &registry.spec, HOST, None, &observed, now());
        let Certificate::Own { names, .. } = tls.certificate else { panic!("{tls:?}") };
        assert_eq!(
            names,
            [
                "10.96.0.7",
                "127.0.0.1",
                "2001:db8::7",
                "::1",
                "fd00::7",
                "hub",
                "hub.default",
                "hub.default.svc",
                "hub.default.svc.cluster.local",
                "localhost",
                "registry.example.com",
            ]
        );
    }

    #[test]
    fn the_public_name_and_the_addresses_of_the_load_balancer_are_in_it() {
        let service = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "hub"},
            "status": {"loadBalancer": {"ingress": [
                {"ip": "192.0.2.7"}, {"ip": "2001:db8::7"}, {"hostname": "lb.example.net", "ip": "192.0.2.8"},
            ]}},
        });
        let names = |spec: &str| {
            let registry = fixtures::registry(spec);
            let mut observed = Observed::default();
            let id = ChildId::new(Kind::Service, "hub".to_owned());
            observed.children.insert(id, serde_json::from_value(service.clone()).unwrap());
            let identity = Identity::of(&registry);
            match validate(&identity, &registry.spec, "hub.example.com", None, &observed, now()).certificate {
                Certificate::Own { names, .. } => names,
                other => panic!("{other:?}"),
            }
        };
        let balanced = names("{service: {type: LoadBalancer}}");
        for name in ["hub.example.com", "192.0.2.7", "2001:db8::7", "lb.example.net", "hub.default.svc"] {
            assert!(balanced.iter().any(|one| one == name), "{name} is not in {balanced:?}");
        }
        assert!(!names("{}").contains(&"192.0.2.7".to_owned()), "left over from another type");
    }

    #[test]
    fn a_name_with_a_port_is_refused() {
        let registry = fixtures::registry("{tls: {sans: ['a::b::c']}}");
        let tls = validate(&Identity::of(&registry), &registry.spec, HOST, None, &Observed::default(), now());
        assert_eq!(tls.finding.reason, Reason::InvalidSan);
    }
}
