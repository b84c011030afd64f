//! The kinds of Service in front of a registry: each setting arrives, and each kind can become every other.

use anyhow::{Result, ensure};
use berth_tests::cluster::wait;
use serde_json::{Value, json};

use crate::fixture::{Namespace, PATIENCE};

/// Applies a spec and waits until the Service is as expected, field by field; `null` is a field that is not there.
fn expect(namespace: &Namespace, spec: &str, expected: &[(&str, Value)]) {
    namespace.apply_registry(spec).unwrap();
    wait::until(&format!("the Service of {spec}"), PATIENCE, || {
        let service = namespace.get("service/hub")?;
        for (field, value) in expected {
            let actual = service.pointer(field).unwrap_or(&Value::Null);
            ensure!(actual == value, "{field} is {actual}");
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn each_kind_of_service_becomes_each_other() {
    let namespace = Namespace::create("services").unwrap();
    let cluster_ip = [
        ("/spec/type", json!("ClusterIP")),
        ("/spec/ports/0/nodePort", Value::Null),
        ("/spec/loadBalancerClass", Value::Null),
        ("/spec/loadBalancerSourceRanges", Value::Null),
        ("/metadata/annotations", Value::Null),
    ];
    let node_port = [("/spec/type", json!("NodePort")), ("/spec/ports/0/nodePort", json!(30044))];
    let balanced = [
        ("/spec/type", json!("LoadBalancer")),
        ("/spec/loadBalancerClass", json!("example.com/lb")),
        ("/spec/loadBalancerSourceRanges", json!(["10.0.0.0/8"])),
        ("/metadata/annotations", json!({"example.com/lb": "internal"})),
    ];
    let (inside, by_node) = ("{}", "{service: {type: NodePort, nodePort: 30044}}");
    let by_balancer = "{service: {type: LoadBalancer, loadBalancerClass: example.com/lb, \
                       loadBalancerSourceRanges: [10.0.0.0/8], annotations: {example.com/lb: internal}}}";
    expect(&namespace, inside, &cluster_ip);
    expect(&namespace, by_node, &node_port);
    expect(&namespace, by_balancer, &balanced);
    expect(&namespace, by_node, &node_port);
    expect(&namespace, inside, &cluster_ip);
    expect(&namespace, by_balancer, &balanced);
    expect(&namespace, inside, &cluster_ip);
    let ready = wait::until("the condition", PATIENCE, || namespace.condition("Ready")).unwrap();
    assert_ne!(ready.reason, "Rejected", "{}", ready.message);
}

#[test]
fn a_load_balancer_is_in_the_certificate_once_it_has_an_address() {
    let namespace = Namespace::create("balanced").unwrap();
    namespace.apply_registry("{service: {type: LoadBalancer}}").unwrap();
    let waiting = namespace.wait_for_reason("Exposed", "Pending").unwrap();
    assert!(waiting.message.contains("Service hub has no address yet"), "{}", waiting.message);
    let addresses = json!([{"ip": "192.0.2.7"}, {"hostname": "lb.example.net"}]);
    namespace.report("service/hub", &json!({"loadBalancer": {"ingress": addresses}})).unwrap();
    let exposed = namespace.wait_for_reason("Exposed", "Exposed").unwrap();
    assert_eq!(exposed.message, "the registry listens at 192.0.2.7, lb.example.net");
    wait_for_names(&namespace, &["192.0.2.7", "lb.example.net", "hub.balanced.svc"]).unwrap();

    namespace.apply_registry("{}").unwrap();
    wait::until("the addresses to go", PATIENCE, || {
        let names = namespace.names_in_certificate()?;
        ensure!(!names.contains("192.0.2.7"), "{names:?}");
        ensure!(namespace.condition("Exposed").is_err(), "the condition is still there");
        Ok(())
    })
    .unwrap();
}

#[test]
fn both_addresses_of_a_dual_stack_service_are_in_the_certificate() {
    let namespace = Namespace::create("dual-stack").unwrap();
    for (policy, count) in [("PreferDualStack", 2), ("SingleStack", 1), ("RequireDualStack", 2)] {
        namespace.apply_registry(&format!("{{service: {{ipFamilyPolicy: {policy}}}}}")).unwrap();
        let addresses = wait::until("the addresses", PATIENCE, || {
            let service = namespace.get("service/hub")?;
            let addresses: Vec<String> = serde_json::from_value(service["spec"]["clusterIPs"].clone())?;
            ensure!(service["spec"]["ipFamilyPolicy"] == policy, "{}", service["spec"]);
            ensure!(addresses.len() == count, "{addresses:?}");
            Ok(addresses)
        })
        .unwrap();
        assert!(count == 1 || addresses[1].contains(':'), "{addresses:?}");
        let names: Vec<&str> = addresses.iter().map(String::as_str).collect();
        wait_for_names(&namespace, &names).unwrap();
    }
}

fn wait_for_names(namespace: &Namespace, expected: &[&str]) -> Result<()> {
    wait::until("the names in the certificate", PATIENCE, || {
        let names = namespace.names_in_certificate()?;
        ensure!(expected.iter().all(|name| names.contains(*name)), "{expected:?} are not all in {names:?}");
        Ok(())
    })
}
