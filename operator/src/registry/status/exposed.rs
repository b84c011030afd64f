//! `Exposed`: whether the Ingress, the route or the load balancer leads to the registry.

use berth_crds::{Reason, exposure::ParentRef, service::ServiceType};
use k8s_openapi::api::{core::v1::Service, networking::v1::Ingress};

use super::{route, truth::Truth};
use crate::{
    children::Children,
    registry::{
        build::Objects,
        validate::{Finding, Validated, load_balancer_addresses},
    },
};

type Condition = (Truth, Reason, String);

/// What the objects in front of the registry say, if there are to be any. Of several, the outermost tells.
pub(super) fn exposed(
    validated: &Validated,
    children: &Children,
    refusal: Option<&Finding>,
) -> Option<Condition> {
    let spec = &validated.spec;
    let balanced = spec.service.kind == ServiceType::LoadBalancer;
    if spec.ingress.is_none() && spec.gateway.is_none() && !balanced {
        return None;
    }
    if let Some(finding) = refusal.or(validated.exposure.obstacle.as_ref()) {
        return Some((Truth::False, finding.reason, finding.message.clone()));
    }
    Some(match (&spec.ingress, &spec.gateway) {
        (Some(_), _) => by_ingress(validated, children),
        (None, Some(gateway)) => by_gateway(validated, children, &gateway.parent_refs),
        (None, None) => by_load_balancer(validated, children),
    })
}

fn by_ingress(validated: &Validated, children: &Children) -> Condition {
    let name = &validated.identity.name;
    let addresses = children.get::<Ingress>(name).map(|ingress| addresses(&ingress)).unwrap_or_default();
    if addresses.is_empty() {
        let namespace = &validated.identity.namespace;
        return pending(format!(
            "Ingress {name} has no address yet, which the controller of its class assigns: `kubectl describe ingress \
             -n {namespace} {name}` shows what it says"
        ));
    }
    let led = led(validated, &addresses);
    let annotated = validated.spec.ingress.as_ref().is_some_and(|ingress| !ingress.annotations.is_empty());
    if validated.exposure.controller.is_none() && !annotated {
        let message = format!(
            "{led}; the controller of the class is not known here, so set spec.ingress.annotations that allow bodies of \
             any size, requests of 15 minutes and {} to the registry",
            if validated.spec.tls.disabled { "plain HTTP" } else { "HTTPS" }
        );
        return (Truth::Unknown, Reason::UnknownController, message);
    }
    (Truth::True, Reason::Exposed, led)
}

fn by_gateway(validated: &Validated, children: &Children, parents: &[ParentRef]) -> Condition {
    let ids = Objects::ids(&validated.identity);
    let namespace = &validated.identity.namespace;
    let verdicts = |gateway: &ParentRef| route::verdict(children.raw(&ids.route), gateway, namespace);
    let mut waiting = Vec::new();
    for gateway in parents {
        match verdicts(gateway) {
            route::Verdict::Accepted => {}
            route::Verdict::Pending => waiting.push(gateway.name.as_str()),
            route::Verdict::Rejected(message) => {
                let message =
                    format!("Gateway {} refused HTTPRoute {}: {message}", gateway.name, ids.route.name);
                return (Truth::False, Reason::RouteRejected, message);
            }
        }
    }
    if waiting.is_empty() {
        return (
            Truth::True,
            Reason::Exposed,
            format!("every gateway has taken the route of {}", validated.host),
        );
    }
    pending(format!(
        "not taken yet by {}: there has to be a Gateway of that name, with a controller that runs and a listener for {}",
        waiting.join(", "),
        validated.dns_name()
    ))
}

fn by_load_balancer(validated: &Validated, children: &Children) -> Condition {
    let name = &validated.identity.name;
    let service: Option<Service> = children.get(name);
    let addresses = service.as_ref().map(load_balancer_addresses).unwrap_or_default();
    if addresses.is_empty() {
        return pending(format!(
            "Service {name} has no address yet, which the load balancer of the cluster assigns; a cluster without one \
             needs type NodePort"
        ));
    }
    (Truth::True, Reason::Exposed, led(validated, &addresses))
}

fn addresses(ingress: &Ingress) -> Vec<String> {
    let status = ingress.status.as_ref().and_then(|status| status.load_balancer.as_ref());
    let places = status.and_then(|balancer| balancer.ingress.as_deref()).unwrap_or_default();
    places.iter().filter_map(|place| place.hostname.clone().or_else(|| place.ip.clone())).collect()
}

fn led(validated: &Validated, addresses: &[String]) -> String {
    let addresses = addresses.join(", ");
    match &validated.spec.host {
        Some(_) => format!("let the name {} lead to {addresses}", validated.dns_name()),
        None => format!("the registry listens at {addresses}"),
    }
}

fn pending(message: String) -> Condition {
    (Truth::False, Reason::Pending, message)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        children::{ChildId, Kind},
        fixtures::validated,
        registry::validate::IngressController,
    };

    const INGRESS: &str = "{host: hub.example.com, ingress: {}}";

    fn children(kind: Kind, status: &Value) -> Children {
        let resource = kind.api_resource();
        let object = json!({
            "apiVersion": resource.api_version, "kind": resource.kind,
            "metadata": {"name": "hub", "generation": 1}, "status": status,
        });
        let mut children = Children::default();
        children.insert(ChildId::new(kind, "hub".to_owned()), serde_json::from_value(object).unwrap());
        children
    }

    fn by(spec: &str, controller: Option<IngressController>, children: &Children) -> Condition {
        let mut validated = validated(spec);
        validated.exposure.controller = controller;
        validated.exposure.obstacle = None;
        exposed(&validated, children, None).unwrap()
    }

    #[test]
    fn inside_the_cluster_there_is_nothing_to_tell() {
        for spec in ["{}", "{host: hub.example.com}", "{service: {type: NodePort}}"] {
            assert_eq!(exposed(&validated(spec), &Children::default(), None), None, "{spec}");
        }
    }

    #[test]
    fn an_ingress_is_waited_for_until_it_has_an_address() {
        let nginx = Some(IngressController::Nginx);
        let (truth, reason, message) = by(INGRESS, nginx, &Children::default());
        assert_eq!((truth, reason), (Truth::False, Reason::Pending));
        assert!(message.contains("kubectl describe ingress -n default hub"), "{message}");
        let with = children(Kind::Ingress, &json!({"loadBalancer": {"ingress": [{"ip": "192.0.2.7"}]}}));
        let message = "let the name hub.example.com lead to 192.0.2.7".to_owned();
        assert_eq!(by(INGRESS, nginx, &with), (Truth::True, Reason::Exposed, message));
    }

    #[test]
    fn a_controller_without_a_preset_is_told_of_unless_the_user_knows_it() {
        let with = children(Kind::Ingress, &json!({"loadBalancer": {"ingress": [{"hostname": "lb"}]}}));
        let (truth, reason, message) = by(INGRESS, None, &with);
        assert_eq!((truth, reason), (Truth::Unknown, Reason::UnknownController));
        assert!(message.contains("HTTPS to the registry"), "{message}");
        let annotated = "{host: hub.example.com, ingress: {annotations: {a: b}}}";
        assert_eq!(by(annotated, None, &with).1, Reason::Exposed);
    }

    #[test]
    fn a_load_balancer_is_waited_for_until_it_has_an_address() {
        let spec = "{service: {type: LoadBalancer}}";
        assert_eq!(by(spec, None, &Children::default()).1, Reason::Pending);
        let with = children(Kind::Service, &json!({"loadBalancer": {"ingress": [{"ip": "192.0.2.7"}]}}));
        let message = "the registry listens at 192.0.2.7".to_owned();
        assert_eq!(by(spec, None, &with), (Truth::True, Reason::Exposed, message));
    }

    #[test]
    fn what_the_cluster_lacks_comes_first_and_a_refusal_before_that() {
        let validated = validated("{host: hub.example.com, gateway: {parentRefs: [{name: web}]}}");
        let told = |refusal| exposed(&validated, &Children::default(), refusal).unwrap().1;
        assert_eq!(told(None), Reason::GatewayApiNotServed);
        assert_eq!(told(Some(&Finding::bad(Reason::Rejected, "no"))), Reason::Rejected);
    }

    #[test]
    fn every_gateway_has_to_take_the_route() {
        let spec = "{host: hub.example.com, gateway: {parentRefs: [{name: a}, {name: b, namespace: edge}]}}";
        let parent = |reference: Value, taken: &str| {
            json!({"parentRef": reference, "controllerName": "x/y", "conditions": [
                {"type": "Accepted", "status": taken, "reason": "R", "message": "no listener fits", "observedGeneration": 1},
            ]})
        };
        let by_parents =
            |parents: &[Value]| by(spec, None, &children(Kind::HTTPRoute, &json!({"parents": parents})));
        let (a, b) = (json!({"name": "a"}), json!({"name": "b", "namespace": "edge"}));
        let (_, reason, message) = by_parents(&[parent(a.clone(), "True")]);
        assert_eq!(reason, Reason::Pending);
        assert!(message.starts_with("not taken yet by b:"), "{message}");
        assert_eq!(
            by_parents(&[parent(a.clone(), "True"), parent(b.clone(), "False")]),
            (
                Truth::False,
                Reason::RouteRejected,
                "Gateway b refused HTTPRoute hub: no listener fits".to_owned()
            )
        );
        assert_eq!(by_parents(&[parent(a, "True"), parent(b, "True")]).1, Reason::Exposed);
    }
}
