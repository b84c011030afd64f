//! What a gateway says about an `HTTPRoute`, as <https://gateway-api.sigs.k8s.io/reference/spec/> has its status.

use berth_crds::exposure::ParentRef;
use kube::api::DynamicObject;
use serde::Deserialize;

/// What a gateway has decided.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It leads to the registry.
    Accepted,
    /// It has said nothing about the route as it is now.
    Pending,
    /// It does not, for this reason.
    Rejected(String),
}

#[derive(Deserialize)]
struct Parent {
    #[serde(rename = "parentRef")]
    reference: ParentRef,
    #[serde(default)]
    conditions: Vec<Condition>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Condition {
    #[serde(rename = "type")]
    about: String,
    status: String,
    #[serde(default)]
    message: String,
    observed_generation: Option<i64>,
}

/// What `gateway` says about a route in `namespace`.
pub(super) fn verdict(route: Option<&DynamicObject>, gateway: &ParentRef, namespace: &str) -> Verdict {
    let parents = route.map(parents).unwrap_or_default();
    let place = |parent: &ParentRef| parent.namespace.clone().unwrap_or_else(|| namespace.to_owned());
    let parent = parents.into_iter().find(|parent| {
        let reference = &parent.reference;
        reference.name == gateway.name
            && reference.section_name == gateway.section_name
            && place(reference) == place(gateway)
    });
    let generation = route.and_then(|route| route.metadata.generation);
    let mut conditions = parent.map(|parent| parent.conditions).unwrap_or_default();
    conditions.retain(|condition| condition.observed_generation.is_none_or(|seen| Some(seen) == generation));
    let of = |about: &str| conditions.iter().find(|condition| condition.about == about);
    let refused = |about| of(about).filter(|condition| condition.status == "False");
    // Some report only that the route is accepted.
    match (refused("Accepted").or_else(|| refused("ResolvedRefs")), of("Accepted")) {
        (Some(refusal), _) => Verdict::Rejected(refusal.message.clone()),
        (None, Some(accepted)) if accepted.status == "True" => Verdict::Accepted,
        _ => Verdict::Pending,
    }
}

fn parents(route: &DynamicObject) -> Vec<Parent> {
    let parents = &route.data["status"]["parents"];
    parents
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|parent| serde_json::from_value(parent.clone()).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn verdict_of(conditions: &Value) -> Verdict {
        let route = json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "hub", "generation": 2},
            "status": {"parents": [
                {"parentRef": {"name": "web", "sectionName": "other"}, "controllerName": "x/y", "conditions": []},
                {"parentRef": {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "web", "namespace": "default"},
                 "controllerName": "x/y", "conditions": conditions},
            ]},
        });
        let gateway = ParentRef { name: "web".to_owned(), namespace: None, section_name: None };
        verdict(Some(&serde_json::from_value(route).unwrap()), &gateway, "default")
    }

    fn condition(about: &str, status: &str, generation: i64) -> Value {
        json!({"type": about, "status": status, "message": about, "observedGeneration": generation})
    }

    #[test]
    fn a_route_is_taken_when_it_is_accepted_and_leads_somewhere() {
        assert_eq!(verdict_of(&json!([condition("Accepted", "True", 2)])), Verdict::Accepted);
        assert_eq!(
            verdict_of(&json!([condition("Accepted", "True", 2), condition("ResolvedRefs", "False", 2)])),
            Verdict::Rejected("ResolvedRefs".to_owned())
        );
        assert_eq!(
            verdict_of(&json!([condition("Accepted", "False", 2)])),
            Verdict::Rejected("Accepted".to_owned())
        );
    }

    #[test]
    fn what_was_said_about_an_older_route_does_not_count() {
        assert_eq!(verdict_of(&json!([condition("Accepted", "False", 1)])), Verdict::Pending);
        assert_eq!(verdict_of(&json!([])), Verdict::Pending);
    }
}
