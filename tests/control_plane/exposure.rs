//! A public name, and the Ingress that leads to it.

use anyhow::ensure;
use berth_tests::cluster::wait;
use serde_json::{Value, json};

use crate::fixture::{Namespace, PATIENCE, kubectl};

#[test]
fn a_public_name_is_the_host_everywhere_and_restarts_nothing() {
    let namespace = Namespace::create("public-name").unwrap();
    namespace.apply_registry("{}").unwrap();
    namespace.wait_for_objects().unwrap();
    let before = namespace.get("deployment/hub").unwrap()["metadata"]["generation"].clone();
    namespace.apply_registry("{host: 'registry.example.com:8443'}").unwrap();
    wait::until("the name", PATIENCE, || {
        let names = namespace.names_in_certificate()?;
        ensure!(names.contains("registry.example.com") && names.contains("hub.public-name.svc"), "{names:?}");
        let status = namespace.get("registry/hub")?["status"].clone();
        ensure!(status["host"] == "registry.example.com:8443", "{status}");
        Ok(())
    })
    .unwrap();
    for secret in ["hub-admin", "hub-pull"] {
        assert_eq!(namespace.secret_text(secret, "host").unwrap(), "registry.example.com:8443");
        let login = namespace.secret_text(secret, ".dockerconfigjson").unwrap();
        let login: Value = serde_json::from_str(&login).unwrap();
        let hosts: Vec<_> = login["auths"].as_object().unwrap().keys().collect();
        assert_eq!(hosts, ["hub.public-name.svc", "registry.example.com:8443"]);
    }
    let cron_job = namespace.get("cronjob/hub-gc").unwrap().to_string();
    assert!(cron_job.contains("https://hub.public-name.svc"), "it is asked inside the cluster");
    assert_eq!(namespace.get("deployment/hub").unwrap()["metadata"]["generation"], before);
}

#[test]
fn an_ingress_is_made_for_its_controller_and_goes_when_it_is_not_asked_for() {
    let namespace = Namespace::create("ingress").unwrap();
    namespace.apply_registry("{host: hub.example.com, ingress: {className: ingress-nginx}}").unwrap();
    let missing = namespace.wait_for_reason("Exposed", "IngressClassNotFound").unwrap();
    assert!(missing.message.contains("IngressClass ingress-nginx"), "{}", missing.message);
    namespace.create_ingress_class("ingress-nginx", "k8s.io/ingress-nginx").unwrap();
    namespace.wait_for_reason("Exposed", "Pending").unwrap();
    let ingress = namespace.get("ingress/hub").unwrap();
    let annotations = &ingress["metadata"]["annotations"];
    assert_eq!(annotations["nginx.ingress.kubernetes.io/proxy-body-size"], "0");
    assert_eq!(annotations["nginx.ingress.kubernetes.io/proxy-ssl-secret"], "ingress/hub-tls");
    assert_eq!(ingress["spec"]["rules"][0]["host"], "hub.example.com");
    assert_eq!(ingress["spec"]["tls"][0]["secretName"], "hub-tls");

    namespace.report("ingress/hub", &json!({"loadBalancer": {"ingress": [{"ip": "192.0.2.7"}]}})).unwrap();
    let exposed = namespace.wait_for_reason("Exposed", "Exposed").unwrap();
    assert_eq!(exposed.message, "let the name hub.example.com lead to 192.0.2.7");

    namespace.run(&["delete", "ingress/hub"]).unwrap();
    wait::until("the Ingress to come back", PATIENCE, || namespace.get("ingress/hub")).unwrap();
    namespace.apply_registry("{host: hub.example.com}").unwrap();
    wait::until("the Ingress to go", PATIENCE, || {
        ensure!(namespace.get("ingress/hub").is_err(), "it is still there");
        ensure!(namespace.condition("Exposed").is_err(), "the condition is still there");
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_controller_without_a_preset_is_told_of() {
    let namespace = Namespace::create("other-ingress").unwrap();
    namespace.create_ingress_class("other-ingress", "example.com/controller").unwrap();
    namespace.apply_registry("{host: other.example.com, ingress: {className: other-ingress}}").unwrap();
    wait::until("the Ingress", PATIENCE, || namespace.get("ingress/hub")).unwrap();
    namespace.report("ingress/hub", &json!({"loadBalancer": {"ingress": [{"hostname": "lb"}]}})).unwrap();
    let told = namespace.wait_for_reason("Exposed", "UnknownController").unwrap();
    assert_eq!(told.status, "Unknown");
    assert!(told.message.contains("spec.ingress.annotations"), "{}", told.message);
}

#[test]
fn traefik_is_told_what_to_trust_once_its_api_is_served() {
    let namespace = Namespace::create("traefik").unwrap();
    namespace.create_ingress_class("traefik-edge", "traefik.io/ingress-controller").unwrap();
    namespace.apply_registry("{host: edge.example.com, ingress: {className: traefik-edge}}").unwrap();
    let lacking = namespace.wait_for_reason("Exposed", "BackendTLSNotServed").unwrap();
    assert!(lacking.message.contains("ServersTransport"), "{}", lacking.message);
    kubectl().apply(&definition("traefik.io", "v1alpha1", "ServersTransport", "serverstransports")).unwrap();
    namespace.wait_for_reason("Exposed", "Pending").unwrap();
    let transport = namespace.get("serverstransports.traefik.io/hub").unwrap();
    assert_eq!(transport["spec"], json!({"serverName": "edge.example.com", "rootCAsSecrets": ["hub-tls"]}));
    let service = namespace.get("service/hub").unwrap();
    let annotation =
        |name: &str| &service["metadata"]["annotations"][format!("traefik.ingress.kubernetes.io/{name}")];
    assert_eq!(annotation("service.serversscheme"), "https");
    assert_eq!(annotation("service.serverstransport"), "traefik-hub@kubernetescrd");

    namespace.apply_registry("{}").unwrap();
    wait::until("both to go", PATIENCE, || {
        ensure!(namespace.get("serverstransports.traefik.io/hub").is_err(), "it is still there");
        let service = namespace.get("service/hub")?;
        ensure!(service["metadata"]["annotations"].is_null(), "{}", service["metadata"]);
        Ok(())
    })
    .unwrap();
}

/// A custom resource whose objects may be of any shape.
pub(crate) fn definition(group: &str, version: &str, kind: &str, plural: &str) -> String {
    let any = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": format!("{plural}.{group}"),
            // Groups under k8s.io are protected.
            "annotations": {"api-approved.kubernetes.io": "unapproved, for a test"},
        },
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.to_lowercase()},
            "versions": [{
                "name": version,
                "served": true,
                "storage": true,
                "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": any, "status": any}}},
            }],
        },
    })
    .to_string()
}
