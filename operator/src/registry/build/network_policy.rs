//! NetworkPolicy `NAME`: anybody may reach the registry's port, for ingress controllers, gateways, nodes and load balancers come
//! from addresses that are not known here, and the registry reaches nobody but the bucket of its
//! images and the upstreams of its mirrors.

use serde_json::{Value, json};

use crate::{
    apply::Desired,
    metadata::{METRICS, SERVER},
    registry::validate::Validated,
};

pub(super) fn network_policy(validated: &Validated) -> Desired<Value> {
    if !validated.spec.network_policy {
        return Desired::Absent;
    }
    let identity = &validated.identity;
    let mut spec = json!({
        "podSelector": {"matchLabels": identity.selector()},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [
            {"ports": [{"port": SERVER, "protocol": "TCP"}]},
            // The collector of metrics and the operator, wherever they are.
            {"from": [{"namespaceSelector": {}}], "ports": [{"port": METRICS, "protocol": "TCP"}]},
        ],
    });
    if validated.spec.storage.s3.is_some() || !validated.spec.mirrors.is_empty() {
        spec["egress"] = to_servers();
    }
    Desired::Present(json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": identity.owned(identity.name.clone()),
        "spec": spec,
    }))
}

/// Names over UDP, and any address over TCP: which address and port a server has behind its name or Service, and which
/// one gives the pods their identity, is not known here. Port 5353 is where the DNS of some distributions listens.
fn to_servers() -> Value {
    json!([{"ports": [
        {"protocol": "TCP"},
        {"protocol": "UDP", "port": 53},
        {"protocol": "UDP", "port": 5353},
    ]}])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::validated;

    #[test]
    fn the_registrys_port_is_open_to_all_and_its_metrics_to_pods() {
        let Desired::Present(policy) = network_policy(&validated("{}")) else { panic!() };
        let open = json!([
            {"ports": [{"port": "registry", "protocol": "TCP"}]},
            {"from": [{"namespaceSelector": {}}], "ports": [{"port": "metrics", "protocol": "TCP"}]},
        ]);
        assert_eq!(policy["spec"]["ingress"], open);
        assert!(policy["spec"].get("egress").is_none());
    }

    #[test]
    fn nobody_is_kept_out_however_the_registry_is_exposed() {
        let inside = network_policy(&validated("{}"));
        for spec in [
            "{host: a.example, ingress: {}}",
            "{host: a.example, gateway: {parentRefs: [{name: web}]}}",
            "{service: {type: NodePort}}",
            "{service: {type: LoadBalancer, port: 5000}}",
        ] {
            assert_eq!(network_policy(&validated(spec)), inside, "{spec}");
        }
    }

    #[test]
    fn a_bucket_can_be_reached() {
        let spec = "{storage: {s3: {bucket: images, region: r}}}";
        let Desired::Present(policy) = network_policy(&validated(spec)) else { panic!() };
        assert_eq!(policy["spec"]["egress"][0]["ports"][0], json!({"protocol": "TCP"}));
    }

    #[test]
    fn the_upstream_of_a_mirror_can_be_reached() {
        let mirrored = network_policy(&validated("{mirrors: [{upstream: docker.io}]}"));
        let Desired::Present(policy) = mirrored else { panic!() };
        assert_eq!(policy["spec"]["egress"][0]["ports"][0], json!({"protocol": "TCP"}));
    }

    #[test]
    fn it_can_be_switched_off() {
        assert_eq!(network_policy(&validated("{networkPolicy: false}")), Desired::Absent);
    }
}
