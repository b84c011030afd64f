//! Routes of the Gateway API, in a cluster that serves it, does not serve it yet, and serves it no more. One test, because the
//! API belongs to the whole cluster.

use anyhow::ensure;
use berth_tests::cluster::wait;
use serde_json::{Value, json};

use crate::{
    exposure::definition,
    fixture::{Namespace, PATIENCE, kubectl},
    quiet::assert_silent,
};

const GROUP: &str = "gateway.networking.k8s.io";
const SPEC: &str = "{host: routes.example.com, gateway: {parentRefs: [{name: web, namespace: edge}]}, \
                    access: {htpasswdSecretName: team}}";
const LINE: &str = "ci:$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC";

fn told_by_gateway(generation: &Value, accepted: &str, message: &str) -> Value {
    json!({"parents": [{
        "parentRef": {"group": GROUP, "kind": "Gateway", "name": "web", "namespace": "edge"},
        "controllerName": "example.com/gateway",
        "conditions": [{
            "type": "Accepted", "status": accepted, "reason": "R", "message": message, "observedGeneration": generation,
        }],
    }]})
}

#[test]
fn a_route_is_made_where_the_gateway_api_is_served() {
    let namespace = Namespace::create("routes").unwrap();
    namespace
        .run(&["create", "secret", "generic", "team", &format!("--from-literal=htpasswd={LINE}")])
        .unwrap();
    namespace.apply_registry(SPEC).unwrap();
    namespace.wait_for_objects().unwrap();
    let unserved = namespace.wait_for_reason("Exposed", "GatewayAPINotServed").unwrap();
    assert!(unserved.message.contains("install the Gateway API"), "{}", unserved.message);

    kubectl().apply(&definition(GROUP, "v1", "HTTPRoute", "httproutes")).unwrap();
    namespace.wait_for_reason("Exposed", "BackendTLSNotServed").unwrap();
    kubectl().apply(&definition(GROUP, "v1", "BackendTLSPolicy", "backendtlspolicies")).unwrap();
    namespace.wait_for_reason("Exposed", "Pending").unwrap();
    let route = namespace.get("httproutes/hub").unwrap();
    assert_eq!(route["spec"]["hostnames"], json!(["routes.example.com"]));
    assert_eq!(route["spec"]["rules"][0]["timeouts"], json!({"request": "0s"}));
    let policy = namespace.get("backendtlspolicies/hub").unwrap();
    assert_eq!(policy["spec"]["validation"]["caCertificateRefs"][0]["name"], "hub-ca");

    let generation = &route["metadata"]["generation"];
    let refusal = told_by_gateway(generation, "False", "no listener fits");
    namespace.report("httproutes/hub", &refusal).unwrap();
    let refused = namespace.wait_for_reason("Exposed", "RouteRejected").unwrap();
    assert_eq!(refused.message, "Gateway web refused HTTPRoute hub: no listener fits");
    namespace.report("httproutes/hub", &told_by_gateway(generation, "True", "")).unwrap();
    namespace.wait_for_reason("Exposed", "Exposed").unwrap();
    assert_silent(&namespace);

    namespace.run(&["delete", "httproutes/hub"]).unwrap();
    wait::until("the route to come back", PATIENCE, || namespace.get("httproutes/hub")).unwrap();
    namespace.apply_registry("{access: {htpasswdSecretName: team}}").unwrap();
    wait::until("both to go", PATIENCE, || {
        let left = ["httproutes/hub", "backendtlspolicies/hub"].map(|object| namespace.get(object).is_ok());
        ensure!(left == [false, false], "{left:?} are there");
        Ok(())
    })
    .unwrap();

    namespace.apply_registry(SPEC).unwrap();
    wait::until("the route", PATIENCE, || namespace.get("httproutes/hub")).unwrap();
    kubectl().run(&["delete", "crd", &format!("httproutes.{GROUP}")]).unwrap();
    namespace.wait_for_reason("Exposed", "GatewayAPINotServed").unwrap();
    let ready = namespace.condition("Ready").unwrap();
    assert_ne!(ready.reason, "Rejected", "{}", ready.message);
}
