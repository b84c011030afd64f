//! Ingress `NAME`: leads the public name to the Service.

use serde_json::{Value, json};

use super::preset;
use crate::{apply::Desired, registry::validate::Validated};

/// What clients of the public name connect to. `ca` is what the registry's certificate is verified with.
pub(super) fn ingress(validated: &Validated, ca: Option<&str>) -> Desired<Value> {
    let Validated { identity, spec, .. } = validated;
    let Some(ingress) = &spec.ingress else {
        return Desired::Absent;
    };
    let mut annotations = preset::of_ingress(validated, ca.is_some());
    annotations.extend(ingress.annotations.clone());
    let mut metadata = identity.owned(identity.name.clone());
    metadata.annotations = (!annotations.is_empty()).then_some(annotations);
    let backend = json!({"service": {"name": identity.name, "port": {"name": "registry"}}});
    let mut manifest = json!({
        "rules": [{
            "host": validated.dns_name(),
            "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]},
        }],
    });
    if let Some(class) = &ingress.class_name {
        manifest["ingressClassName"] = json!(class);
    }
    if let Some(secret) = certificate_secret(validated) {
        manifest["tls"] = json!([{"hosts": [validated.dns_name()], "secretName": secret}]);
    }
    Desired::Present(json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": metadata,
        "spec": manifest,
    }))
}

/// The Secret with the certificate that clients see: the user's, or the registry's own.
pub(super) fn certificate_secret(validated: &Validated) -> Option<String> {
    let given = validated.spec.ingress.as_ref().and_then(|ingress| ingress.tls_secret_name.clone());
    let own = (!validated.spec.tls.disabled).then(|| validated.identity.child("tls"));
    given.or(own)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fixtures::validated, registry::validate::IngressController};

    fn built(spec: &str, controller: Option<IngressController>) -> Value {
        let mut validated = validated(spec);
        validated.exposure.controller = controller;
        match ingress(&validated, Some("CA")) {
            Desired::Present(ingress) => ingress,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_public_name_leads_to_the_service_and_has_its_certificate() {
        let ingress = built("{host: 'registry.example.com:8443', ingress: {className: web}}", None);
        assert_eq!(
            ingress["spec"],
            json!({
                "ingressClassName": "web",
                "rules": [{
                    "host": "registry.example.com",
                    "http": {"paths": [{
                        "path": "/",
                        "pathType": "Prefix",
                        "backend": {"service": {"name": "hub", "port": {"name": "registry"}}},
                    }]},
                }],
                "tls": [{"hosts": ["registry.example.com"], "secretName": "hub-tls"}],
            })
        );
        assert!(ingress["metadata"].get("annotations").is_none(), "no preset for a class that is not known");
    }

    #[test]
    fn clients_may_see_another_certificate() {
        let ingress = built("{host: a.example, ingress: {tlsSecretName: public}}", None);
        assert_eq!(ingress["spec"]["tls"][0]["secretName"], "public");
        assert!(ingress["spec"].get("ingressClassName").is_none());
        let plain = built("{host: a.example, ingress: {}, tls: {disabled: true}}", None);
        assert!(plain["spec"].get("tls").is_none());
    }

    #[test]
    fn annotations_of_the_user_win_over_the_preset() {
        let spec = "{host: a.example, ingress: {annotations: {\
                    nginx.ingress.kubernetes.io/proxy-body-size: 1g, example.com/note: mine}}}";
        let annotations = built(spec, Some(IngressController::Nginx))["metadata"]["annotations"].clone();
        assert_eq!(annotations["nginx.ingress.kubernetes.io/proxy-body-size"], "1g");
        assert_eq!(annotations["example.com/note"], "mine");
        assert_eq!(annotations["nginx.ingress.kubernetes.io/proxy-request-buffering"], "off");
    }

    #[test]
    fn without_an_ingress_there_is_none() {
        assert_eq!(ingress(&validated("{host: a.example}"), None), Desired::Absent);
    }
}
