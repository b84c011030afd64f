//! `spec.tls.issuerRef`: the test plays cert-manager, whose Certificates the API server knows by a schema of its own.

use anyhow::ensure;
use berth_operator::registry::certificates;
use berth_tests::cluster::wait;
use serde_json::json;

use crate::{
    fixture::{Namespace, PATIENCE, kubectl},
    tls_client::accepts,
};

const DEFINITION: &str = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: certificates.cert-manager.io
spec:
  group: cert-manager.io
  scope: Namespaced
  names: {kind: Certificate, listKind: CertificateList, plural: certificates, singular: certificate}
  versions:
    - name: v1
      served: true
      storage: true
      subresources: {status: {}}
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              required: [secretName, issuerRef]
              properties:
                secretName: {type: string}
                dnsNames: {type: array, items: {type: string}}
                ipAddresses: {type: array, items: {type: string}}
                usages: {type: array, items: {type: string}}
                issuerRef:
                  type: object
                  required: [name]
                  properties: {name: {type: string}, kind: {type: string}, group: {type: string}}
            status:
              type: object
              x-kubernetes-preserve-unknown-fields: true
";

const SPEC: &str = "{tls: {issuerRef: {name: ours, kind: ClusterIssuer}, sans: [hub.example]}}";

#[test]
fn a_certificate_is_requested_waited_for_verified_and_withdrawn() {
    let namespace = Namespace::create("issued").unwrap();
    namespace.apply_registry(SPEC).unwrap();
    let missing = namespace.wait_for_reason("TLSReady", "IssuerAPINotFound").unwrap();
    assert!(missing.message.contains("install cert-manager"), "{}", missing.message);
    assert!(namespace.get("secret/hub-tls").is_err(), "nothing to serve with");
    let config = namespace.get("configmap/hub-config").unwrap()["data"]["config.yml"].to_string();
    assert!(config.contains("tls.crt"), "and no plain HTTP: {config}");

    kubectl().apply(DEFINITION).unwrap();
    namespace.wait_for_reason("TLSReady", "CertificatePending").unwrap();
    let certificate = namespace.get("certificates.cert-manager.io/hub-cert-manager").unwrap();
    assert_eq!(certificate["spec"]["secretName"], "hub-cert-manager");
    assert_eq!(
        certificate["spec"]["issuerRef"],
        json!({"name": "ours", "kind": "ClusterIssuer", "group": "cert-manager.io"})
    );
    let names = certificate["spec"]["dnsNames"].to_string();
    assert!(names.contains("hub.issued.svc") && names.contains("hub.example"), "{names}");

    say(&namespace, "False", "Denied", "ours signs nothing on Sundays");
    wait::until("the words of cert-manager", PATIENCE, || {
        let told = namespace.condition("TLSReady")?;
        ensure!(
            told.message.ends_with("cert-manager says: Denied: ours signs nothing on Sundays"),
            "{told:?}"
        );
        Ok(())
    })
    .unwrap();

    let authority = certificates::issue_authority("ours", None, jiff::Timestamp::now()).unwrap();
    store(&namespace, &authority, "other.example");
    namespace.wait_for_reason("TLSReady", "SANMismatch").unwrap();
    say(&namespace, "True", "Ready", "up to date");
    store(&namespace, &authority, "hub.issued.svc");
    namespace.wait_for_reason("TLSReady", "Provided").unwrap();
    accepts(&namespace, "hub.issued.svc", &authority.certificate).unwrap();
    let bundle = namespace.get("configmap/hub-ca").unwrap();
    assert_eq!(bundle["data"]["ca.crt"], authority.certificate);

    namespace.apply_registry("{}").unwrap();
    namespace.wait_for_objects().unwrap();
    wait::until("the request to be withdrawn", PATIENCE, || {
        ensure!(namespace.get("certificates.cert-manager.io/hub-cert-manager").is_err(), "it is there");
        Ok(())
    })
    .unwrap();
    assert!(namespace.get("secret/hub-cert-manager").is_ok(), "cert-manager's Secret is not the operator's");
}

/// What cert-manager says about the Certificate.
fn say(namespace: &Namespace, ready: &str, reason: &str, message: &str) {
    let ready = json!({"type": "Ready", "status": ready, "reason": reason, "message": message});
    let patch = json!({"status": {"conditions": [ready]}}).to_string();
    let certificate = "certificates.cert-manager.io/hub-cert-manager";
    namespace
        .run(&["patch", certificate, "--subresource=status", "--type=merge", "--patch", &patch])
        .unwrap();
}

/// What cert-manager stores.
fn store(namespace: &Namespace, authority: &certificates::KeyPair, name: &str) {
    let now = jiff::Timestamp::now();
    let pair = certificates::issue_serving(authority, "hub", &[name.to_owned()], now).unwrap();
    namespace
        .apply(
            &json!({
                "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
                "metadata": {"name": "hub-cert-manager"},
                "stringData": {
                    "tls.crt": pair.certificate, "tls.key": pair.key, "ca.crt": authority.certificate,
                },
            })
            .to_string(),
        )
        .unwrap();
}
