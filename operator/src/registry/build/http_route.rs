//! `HTTPRoute` `NAME`: lets gateways lead the public name to the Service.

use berth_crds::exposure::ParentRef;
use serde_json::{Value, json};

use crate::{apply::Desired, children::Kind, registry::validate::Validated};

pub(super) fn http_route(validated: &Validated) -> Desired<Value> {
    let Validated { identity, spec, .. } = validated;
    let gateway = spec.gateway.as_ref().filter(|_| validated.exposure.served.has(Kind::HTTPRoute));
    let Some(gateway) = gateway else {
        return Desired::Absent;
    };
    Desired::Present(json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": identity.owned(identity.name.clone()),
        "spec": {
            "parentRefs": gateway.parent_refs.iter().map(parent).collect::<Vec<_>>(),
            "hostnames": [validated.dns_name()],
            "rules": [{
                "backendRefs": [{"name": identity.name, "port": spec.service.port}],
                // A large layer takes as long as it takes: https://gateway-api.sigs.k8s.io/geps/gep-1742/
                "timeouts": {"request": "0s"},
            }],
        },
    }))
}

fn parent(parent: &ParentRef) -> Value {
    let mut reference = json!({"name": parent.name});
    for (field, value) in [("namespace", &parent.namespace), ("sectionName", &parent.section_name)] {
        if let Some(value) = value {
            reference[field] = json!(value);
        }
    }
    reference
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::validated;

    #[test]
    fn it_leads_the_public_name_to_the_service_for_as_long_as_a_push_takes() {
        let mut validated = validated(
            "{host: 'hub.example.com:8443', service: {port: 5000}, \
             gateway: {parentRefs: [{name: web, namespace: gateways, sectionName: https}, {name: own}]}}",
        );
        assert_eq!(http_route(&validated), Desired::Absent, "it is not served");
        validated.exposure.served = [Kind::HTTPRoute].into_iter().collect();
        let Desired::Present(route) = http_route(&validated) else { panic!() };
        assert_eq!(
            route["spec"],
            json!({
                "parentRefs": [{"name": "web", "namespace": "gateways", "sectionName": "https"}, {"name": "own"}],
                "hostnames": ["hub.example.com"],
                "rules": [{"backendRefs": [{"name": "hub", "port": 5000}], "timeouts": {"request": "0s"}}],
            })
        );
    }
}
