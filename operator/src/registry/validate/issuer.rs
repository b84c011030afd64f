//! The serving certificate of `spec.tls.issuerRef`: cert-manager is asked for it, and what it stores is verified like a
//! Secret of the user.

use std::net::IpAddr;

use berth_crds::{Reason, tls::IssuerRef};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;

use super::{
    Finding, provided,
    tls::{Certificate, Tls, canonical},
};
use crate::{
    apply::Desired,
    children::{ChildId, Kind},
    metadata::Identity,
    registry::{build::Objects, credentials::text, observe::Observed},
};

/// What the issuer is asked for. A host that is not the Service's stands alone with what the user adds, because public
/// issuers sign no names that only a cluster knows; no issuer signs names of the machine itself.
pub(super) fn names(
    identity: &Identity,
    host: &str,
    of_service: Vec<String>,
    sans: &[String],
) -> Vec<String> {
    let name = host.split_once(':').map_or(host, |(name, _)| name);
    let mut names = if name == format!("{}.{}.svc", identity.name, identity.namespace) {
        of_service
    } else {
        [name.to_owned()].into_iter().chain(sans.iter().map(|san| canonical(san))).collect()
    };
    names.retain(|name| !is_of_machine(name));
    names.sort();
    names.dedup();
    names
}

fn is_of_machine(name: &str) -> bool {
    name == "localhost" || name.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

pub(super) fn validate(
    identity: &Identity,
    issuer: &IssuerRef,
    host: &str,
    names: Vec<String>,
    observed: &Observed,
    now: Timestamp,
) -> Tls {
    let id = Objects::ids(identity).certificate;
    let requested =
        if observed.served.has(Kind::Certificate) { Desired::Present(names) } else { Desired::AsIs };
    let stored = observed.certificate_secret.as_ref().filter(|secret| is_filled(secret));
    let (certificate, finding) = match stored {
        Some(secret) => provided::validate(&id.name, Some(secret), host, now),
        None => (Certificate::AsIs, pending(issuer, &id, observed)),
    };
    let finding = if stored.is_some() { with_its_words(finding, &id, observed) } else { finding };
    Tls { certificate, requested, finding }
}

fn is_filled(secret: &Secret) -> bool {
    text(secret, "tls.crt").is_some_and(|certificate| !certificate.trim().is_empty())
}

fn pending(issuer: &IssuerRef, id: &ChildId, observed: &Observed) -> Finding {
    if !observed.served.has(Kind::Certificate) {
        return Finding::bad(Reason::IssuerApiNotFound, not_served());
    }
    let IssuerRef { name, kind, .. } = issuer;
    let words = match trouble(id, observed) {
        Some(words) => words,
        None => format!("it has said nothing about it yet: see `kubectl describe certificate {}`", id.name),
    };
    let message = format!("cert-manager has no certificate of {kind} {name} for {id} yet; {words}");
    Finding::bad(Reason::CertificatePending, message)
}

fn not_served() -> String {
    "spec.tls.issuerRef needs cert-manager, and this cluster does not serve certificates.cert-manager.io/v1: install \
     cert-manager, or remove the field for a certificate of the operator"
        .to_owned()
}

/// What cert-manager would say about a certificate that is there already.
fn with_its_words(finding: Finding, id: &ChildId, observed: &Observed) -> Finding {
    if !observed.served.has(Kind::Certificate) {
        let message = format!("{}; nobody renews it: {}", finding.message, not_served());
        let reason = if finding.good { Reason::IssuerApiNotFound } else { finding.reason };
        return Finding { reason, message, ..finding };
    }
    match trouble(id, observed) {
        Some(words) => Finding { message: format!("{}; {words}", finding.message), ..finding },
        None => finding,
    }
}

/// The condition `Ready` of the Certificate, unless it is true.
fn trouble(id: &ChildId, observed: &Observed) -> Option<String> {
    let certificate = observed.children.raw(id)?;
    let conditions = certificate.data["status"]["conditions"].as_array()?;
    let ready = conditions.iter().find(|condition| condition["type"] == "Ready")?;
    let word = |key: &str| ready[key].as_str().unwrap_or_default();
    (word("status") != "True").then(|| format!("cert-manager says: {}: {}", word("reason"), word("message")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        apis::Served,
        children::{ChildId, Kind},
        fixtures,
        registry::{
            certificates,
            credentials::tests::secret,
            validate::{self, Validated},
        },
    };

    fn now() -> Timestamp {
        "2026-03-01T00:00:00Z".parse().unwrap()
    }

    fn id() -> ChildId {
        ChildId::new(Kind::Certificate, "hub-cert-manager".to_owned())
    }

    fn judged(observed: &Observed) -> Validated {
        validate::validate(&fixtures::registry("{tls: {issuerRef: {name: ours}}}"), observed, now())
    }

    fn says(ready: &str, reason: &str, message: &str) -> Observed {
        let certificate = json!({
            "apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": {"name": "hub-cert-manager"},
            "status": {"conditions": [
                {"type": "Issuing", "status": "True", "reason": "Other", "message": "other"},
                {"type": "Ready", "status": ready, "reason": reason, "message": message},
            ]},
        });
        let mut observed = Observed { served: Served::from_iter([Kind::Certificate]), ..Observed::default() };
        observed.children.insert(id(), serde_json::from_value(certificate).unwrap());
        observed
    }

    fn with_certificate(observed: Observed) -> Observed {
        let authority = certificates::issue_authority("hub", None, now()).unwrap();
        let names = ["hub.default.svc".to_owned()];
        let pair = certificates::issue_serving(&authority, "hub", &names, now()).unwrap();
        let stored = secret([
            ("tls.crt", &pair.certificate),
            ("tls.key", &pair.key),
            ("ca.crt", &authority.certificate),
        ]);
        Observed { certificate_secret: Some(stored), ..observed }
    }

    #[test]
    fn without_cert_manager_nothing_is_asked_and_what_is_served_stays() {
        let tls = judged(&Observed::default()).tls;
        assert_eq!((tls.certificate, tls.requested), (Certificate::AsIs, Desired::AsIs));
        assert_eq!((tls.finding.good, tls.finding.reason), (false, Reason::IssuerApiNotFound));
    }

    #[test]
    fn a_certificate_that_does_not_come_is_told_in_cert_managers_words() {
        let silent = Observed { served: Served::from_iter([Kind::Certificate]), ..Observed::default() };
        let tls = judged(&silent).tls;
        assert!(matches!(tls.requested, Desired::Present(_)));
        assert_eq!((tls.certificate, tls.finding.reason), (Certificate::AsIs, Reason::CertificatePending));
        assert!(tls.finding.message.contains("kubectl describe certificate hub-cert-manager"));

        let tls = judged(&says("False", "DoesNotExist", "Issuing certificate as Secret does not exist")).tls;
        let words = "cert-manager says: DoesNotExist: Issuing certificate as Secret does not exist";
        assert!(tls.finding.message.ends_with(words), "{:?}", tls.finding);
    }

    #[test]
    fn a_certificate_that_came_is_verified_like_one_of_the_user() {
        let tls = judged(&with_certificate(says("True", "Ready", "up to date"))).tls;
        assert!(matches!(tls.certificate, Certificate::Provided { authority: Some(_), .. }));
        assert_eq!((tls.finding.good, tls.finding.reason), (true, Reason::Provided));
        let empty = secret([("tls.crt", ""), ("tls.key", "")]);
        let observed = Observed { certificate_secret: Some(empty), ..says("False", "Pending", "wait") };
        assert_eq!(judged(&observed).tls.finding.reason, Reason::CertificatePending);
    }

    #[test]
    fn trouble_with_the_renewal_of_a_good_certificate_is_told_beside_it() {
        let finding = judged(&with_certificate(says("False", "Failed", "quota"))).tls.finding;
        assert!(finding.good && finding.message.ends_with("cert-manager says: Failed: quota"), "{finding:?}");
        let finding = judged(&with_certificate(Observed::default())).tls.finding;
        assert_eq!((finding.good, finding.reason), (true, Reason::IssuerApiNotFound));
        assert!(finding.message.contains("nobody renews it"), "{finding:?}");
    }

    #[test]
    fn a_public_name_stands_alone_with_what_the_user_adds() {
        let identity = Identity::of(&fixtures::registry("{}"));
        let of_service =
            || ["hub", "hub.default.svc", "localhost", "127.0.0.1", "10.96.0.7"].map(str::to_owned).to_vec();
        let asked = |host: &str| names(&identity, host, of_service(), &["b.example".to_owned()]);
        assert_eq!(asked("hub.example:8443"), ["b.example", "hub.example"]);
        assert_eq!(asked("hub.default.svc:5000"), ["10.96.0.7", "hub", "hub.default.svc"]);
    }
}
