//! `ServersTransport` `NAME`: how Traefik verifies the registry's certificate.

use serde_json::{Value, json};

use crate::{
    apply::Desired,
    children::Kind,
    registry::validate::{IngressController, Validated},
};

pub(super) fn servers_transport(validated: &Validated, ca: Option<&str>) -> Desired<Value> {
    if reference(validated).is_none() {
        return Desired::Absent;
    }
    let identity = &validated.identity;
    let mut spec = json!({"serverName": validated.dns_name()});
    if ca.is_some() {
        // `rootCAs` came with Traefik 3.4 and replaces this one, which every release so far reads.
        spec["rootCAsSecrets"] = json!([identity.child("tls")]);
    }
    Desired::Present(json!({
        "apiVersion": "traefik.io/v1alpha1",
        "kind": "ServersTransport",
        "metadata": identity.owned(identity.name.clone()),
        "spec": spec,
    }))
}

/// By what name the annotation of a Service refers to it, if there is to be one.
pub(super) fn reference(validated: &Validated) -> Option<String> {
    let exposure = &validated.exposure;
    let needed = exposure.controller == Some(IngressController::Traefik) && !validated.spec.tls.disabled;
    let identity = &validated.identity;
    (needed && exposure.served.has(Kind::ServersTransport))
        .then(|| format!("{}-{}@kubernetescrd", identity.namespace, identity.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::validated;

    #[test]
    fn it_names_the_authority_where_there_is_one() {
        let mut validated = validated("{host: hub.example.com, ingress: {}}");
        assert_eq!(servers_transport(&validated, Some("CA")), Desired::Absent);
        validated.exposure.controller = Some(IngressController::Traefik);
        assert_eq!(servers_transport(&validated, Some("CA")), Desired::Absent, "it is not served");

        validated.exposure.served = [Kind::ServersTransport].into_iter().collect();
        let spec = |ca| match servers_transport(&validated, ca) {
            Desired::Present(transport) => transport["spec"].clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(spec(Some("CA")), json!({"serverName": "hub.example.com", "rootCAsSecrets": ["hub-tls"]}));
        assert_eq!(spec(None), json!({"serverName": "hub.example.com"}));
    }
}
