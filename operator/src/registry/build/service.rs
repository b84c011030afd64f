//! Service `NAME`: the stable address of the registry.

use serde_json::{Value, json};

use super::preset;
use crate::registry::validate::Validated;

/// The Service. It follows from nothing that is issued, because the certificate has to name its address.
pub fn service(validated: &Validated) -> Value {
    let Validated { identity, spec, .. } = validated;
    let wanted = &spec.service;
    let protocol = if spec.tls.disabled { "http" } else { "https" };
    let mut metadata = identity.owned(identity.name.clone());
    let mut annotations = preset::of_service(validated);
    annotations.extend(wanted.annotations.clone());
    metadata.annotations = (!annotations.is_empty()).then_some(annotations);
    let mut port = json!({
        "name": "registry",
        "port": wanted.port,
        "protocol": "TCP",
        "targetPort": "registry",
        "appProtocol": protocol,
    });
    if let Some(node_port) = wanted.node_port {
        port["nodePort"] = json!(node_port);
    }
    let mut service = json!({"type": wanted.kind, "selector": identity.selector(), "ports": [port]});
    if let Some(class) = &wanted.load_balancer_class {
        service["loadBalancerClass"] = json!(class);
    }
    if !wanted.load_balancer_source_ranges.is_empty() {
        service["loadBalancerSourceRanges"] = json!(wanted.load_balancer_source_ranges);
    }
    if let Some(policy) = wanted.ip_family_policy {
        service["ipFamilyPolicy"] = json!(policy);
    }
    json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": service})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::validated;

    fn built(spec: &str) -> Value {
        service(&validated(spec))
    }

    #[test]
    fn by_default_it_is_https_inside_the_cluster() {
        assert_eq!(
            built("{}")["spec"],
            json!({
                "type": "ClusterIP",
                "selector": {
                    "app.kubernetes.io/name": "berth-registry",
                    "app.kubernetes.io/instance": "hub",
                    "app.kubernetes.io/component": "registry",
                },
                "ports": [{
                    "name": "registry", "port": 443, "protocol": "TCP", "targetPort": "registry", "appProtocol": "https",
                }],
            })
        );
    }

    #[test]
    fn it_can_be_a_load_balancer() {
        let service = built(
            "{service: {type: LoadBalancer, annotations: {a: b}, loadBalancerClass: x/y, \
              loadBalancerSourceRanges: [10.0.0.0/8], nodePort: 30443, port: 5000}}",
        );
        assert_eq!(service["spec"]["type"], "LoadBalancer");
        assert_eq!(service["spec"]["loadBalancerClass"], "x/y");
        assert_eq!(service["spec"]["loadBalancerSourceRanges"], json!(["10.0.0.0/8"]));
        assert_eq!(service["spec"]["ports"][0]["nodePort"], 30443);
        assert_eq!(service["spec"]["ports"][0]["port"], 5000);
        assert_eq!(service["metadata"]["annotations"], json!({"a": "b"}));
    }
}
