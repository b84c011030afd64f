//! The serving certificate of `spec.tls`.

use std::{net::IpAddr, time::Duration};

use berth_crds::{Reason, RegistrySpec, service::ServiceType};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Secret, Service};

use super::Finding;
use crate::{
    metadata::Identity,
    registry::{
        certificates::{self, CertificateError, KeyPair},
        credentials::text,
        observe::Observed,
    },
};

/// A certificate of the user is reported this long before it expires.
const WARNING: Duration = Duration::from_hours(7 * 24);

/// The serving certificate.
#[derive(Debug)]
pub struct Tls {
    /// Where it comes from.
    pub certificate: Certificate,
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
    },
    /// The user gave it.
    Provided {
        /// Certificate and key, which belong together.
        pair: KeyPair,
        /// The certificate authority for clients, PEM, if the user gave one.
        authority: Option<String>,
    },
    /// The user's cannot be used; what is served already stays.
    AsIs,
    /// None: plain HTTP.
    Disabled,
}

pub(super) fn validate(
    identity: &Identity,
    spec: &RegistrySpec,
    dns_name: &str,
    observed: &Observed,
    now: Timestamp,
) -> Tls {
    let tls = &spec.tls;
    if tls.disabled {
        let message = "plain HTTP: passwords cross the network readable; remove spec.tls.disabled for TLS";
        return Tls {
            certificate: Certificate::Disabled,
            finding: Finding::good(Reason::PlainHttp, message),
        };
    }
    match &tls.secret_name {
        Some(name) => provided(name, observed.certificate_secret.as_ref(), dns_name, now),
        None => own(identity, spec, dns_name, observed),
    }
}

fn own(identity: &Identity, spec: &RegistrySpec, dns_name: &str, observed: &Observed) -> Tls {
    let sans = &spec.tls.sans;
    if let Some(bad) = sans.iter().find(|san| san.contains(':') && san.parse::<IpAddr>().is_err()) {
        let message = format!(
            "spec.tls.sans: {bad:?} is neither a DNS name nor an IP address; write it without a port"
        );
        return Tls { certificate: Certificate::AsIs, finding: Finding::bad(Reason::InvalidSan, message) };
    }
    let service: Option<Service> = observed.children.get(&identity.name);
    let mut names = names(identity, service.as_ref(), sans);
    names.push(canonical(dns_name));
    if spec.service.kind == ServiceType::LoadBalancer {
        let addresses = service.as_ref().map(load_balancer_addresses).unwrap_or_default();
        names.extend(addresses.iter().map(|address| canonical(address)));
    }
    names.sort();
    names.dedup();
    let finding = Finding::good(Reason::Issued, "issued by the operator's own certificate authority");
    Tls { certificate: Certificate::Own { names }, finding }
}

/// Every name under which a client may reach the Service.
fn names(identity: &Identity, service: Option<&Service>, sans: &[String]) -> Vec<String> {
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
    names.extend(sans.iter().map(|san| canonical(san)));
    names
}

/// Where the load balancer of a Service listens: addresses, or names.
pub fn load_balancer_addresses(service: &Service) -> Vec<String> {
    let status = service.status.as_ref().and_then(|status| status.load_balancer.as_ref());
    let places = status.and_then(|balancer| balancer.ingress.as_deref()).unwrap_or_default();
    places.iter().filter_map(|place| place.hostname.clone().or_else(|| place.ip.clone())).collect()
}

/// An IP address in its shortest spelling, and a DNS name as it is.
fn canonical(san: &str) -> String {
    san.parse::<IpAddr>().map_or_else(|_| san.to_owned(), |address| address.to_string())
}

fn provided(name: &str, secret: Option<&Secret>, dns_name: &str, now: Timestamp) -> Tls {
    let Some(secret) = secret else {
        let message = format!(
            "Secret {name} of spec.tls.secretName does not exist: create it with `kubectl create secret tls {name} \
             --cert=FILE --key=FILE`, or remove the field for a certificate of the operator"
        );
        return Tls {
            certificate: Certificate::AsIs,
            finding: Finding::bad(Reason::SecretNotFound, message),
        };
    };
    let authority = text(secret, "ca.crt");
    let pair = KeyPair {
        certificate: text(secret, "tls.crt").unwrap_or_default(),
        key: text(secret, "tls.key").unwrap_or_default(),
    };
    if let Err(error) = certificates::check_pair(&pair) {
        return Tls { certificate: Certificate::AsIs, finding: unusable(name, &error) };
    }
    let finding = judge(name, &pair.certificate, dns_name, now);
    Tls { certificate: Certificate::Provided { pair, authority }, finding }
}

fn unusable(name: &str, error: &CertificateError) -> Finding {
    let reason = match error {
        CertificateError::KeyMismatch => Reason::KeyMismatch,
        _ => Reason::InvalidSecret,
    };
    let place = match error {
        CertificateError::NoKey => ", key tls.key",
        CertificateError::NoCertificate => ", key tls.crt",
        _ => "",
    };
    Finding::bad(reason, format!("Secret {name}{place}: {error}; store a certificate and its key in PEM"))
}

/// A pair that can be served, but may not be what clients accept.
fn judge(name: &str, certificate: &str, dns_name: &str, now: Timestamp) -> Finding {
    let inspected = match certificates::inspect(certificate) {
        Ok(inspected) => inspected,
        Err(error) => return unusable(name, &error),
    };
    let certificates::Inspected { not_before, not_after, .. } = inspected;
    if now < not_before || now >= not_after {
        let message = format!(
            "the certificate in Secret {name} is valid from {not_before} to {not_after}, not now: renew it"
        );
        return Finding::bad(Reason::Expired, message);
    }
    if !certificates::is_valid_for(certificate, dns_name) {
        let message = format!(
            "the certificate in Secret {name} is not valid for {dns_name}: add that to its subject alternative names"
        );
        return Finding::bad(Reason::SanMismatch, message);
    }
    if now + WARNING >= not_after {
        return Finding::good(
            Reason::ExpiringSoon,
            format!("the certificate in Secret {name} expires at {not_after}: renew it"),
        );
    }
    Finding::good(Reason::Provided, format!("the certificate in Secret {name} is valid until {not_after}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        children::{ChildId, Kind},
        fixtures,
        registry::credentials::tests::secret,
    };

    const HOST: &str = "hub.default.svc";

    fn now() -> Timestamp {
        "2026-03-01T00:00:00Z".parse().unwrap()
    }

    fn pair(names: &[&str]) -> KeyPair {
        let authority = certificates::issue_authority("hub", None, now()).unwrap();
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        certificates::issue_serving(&authority, "hub", &names, now()).unwrap()
    }

    fn judged(pair: &KeyPair, at: Timestamp) -> Tls {
        let secret = secret([("tls.crt", &pair.certificate), ("tls.key", &pair.key), ("ca.crt", "CA")]);
        provided("mine", Some(&secret), HOST, at)
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
        let tls = validate(&Identity::of(&registry), &registry.spec, HOST, &observed, now());
        let Certificate::Own { names } = tls.certificate else { panic!("{tls:?}") };
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
            match validate(&identity, &registry.spec, "hub.example.com", &observed, now()).certificate {
                Certificate::Own { names } => names,
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
        let tls = validate(&Identity::of(&registry), &registry.spec, HOST, &Observed::default(), now());
        assert_eq!(tls.finding.reason, Reason::InvalidSan);
    }

    #[test]
    fn a_good_certificate_of_the_user_is_served() {
        let pair = pair(&[HOST]);
        let tls = judged(&pair, now());
        assert_eq!(tls.finding.reason, Reason::Provided);
        assert_eq!(tls.certificate, Certificate::Provided { pair, authority: Some("CA".to_owned()) });
    }

    #[test]
    fn a_missing_secret_leaves_what_is_served_and_says_how_to_make_it() {
        let tls = provided("mine", None, HOST, now());
        assert_eq!(tls.certificate, Certificate::AsIs);
        assert!(tls.finding.message.contains("kubectl create secret tls mine"));
    }

    #[test]
    fn a_key_of_another_certificate_is_not_served() {
        let mixed = KeyPair { key: pair(&[HOST]).key, ..pair(&[HOST]) };
        let tls = judged(&mixed, now());
        assert_eq!(tls.certificate, Certificate::AsIs);
        assert_eq!(tls.finding.reason, Reason::KeyMismatch);
    }

    #[test]
    fn an_empty_secret_is_not_served() {
        let tls = provided("mine", Some(&secret([])), HOST, now());
        assert_eq!(tls.finding.reason, Reason::InvalidSecret);
        assert!(tls.finding.message.starts_with("Secret mine, key tls.crt"));
    }

    #[test]
    fn a_certificate_for_another_name_is_served_but_told() {
        let tls = judged(&pair(&["other.example"]), now());
        assert!(matches!(tls.certificate, Certificate::Provided { .. }));
        assert_eq!(tls.finding.reason, Reason::SanMismatch);
    }

    #[test]
    fn the_end_of_a_certificate_is_announced() {
        let day = Duration::from_hours(24);
        let pair = pair(&[HOST]);
        assert_eq!(judged(&pair, now() + day * 84).finding.reason, Reason::ExpiringSoon);
        assert!(judged(&pair, now() + day * 84).finding.good);
        assert_eq!(judged(&pair, now() + day * 90).finding.reason, Reason::Expired);
    }
}
