//! `spec.podTemplate`: what may be merged over the operator's pod template, and how.
//!
//! Maps merge by key. These lists merge entry by entry, by the key that Kubernetes itself has for them: `containers`,
//! `initContainers`, `volumes`, `env` and `imagePullSecrets` by `name`, `volumeMounts` by `mountPath`. Other lists
//! replace. A `null` removes what the operator set.

use berth_crds::Reason;
use k8s_openapi::api::core::v1::PodTemplateSpec;
use serde_json::{Map, Value};

use super::Finding;

/// Checks that the fields are those of a pod template, with values of the right types.
pub(super) fn validate(template: Option<&Map<String, Value>>) -> Result<Map<String, Value>, Finding> {
    let Some(template) = template else {
        return Ok(Map::new());
    };
    check(template).map(|()| template.clone()).map_err(|problem| {
        let message = format!("spec.podTemplate{problem}; until it is corrected the pods stay as they are");
        Finding::bad(Reason::InvalidPodTemplate, message)
    })
}

fn check(template: &Map<String, Value>) -> Result<(), String> {
    let given = without_nulls(&Value::Object(template.clone()));
    let typed: PodTemplateSpec =
        serde_json::from_value(given.clone()).map_err(|error| format!(": {error}"))?;
    let known = serde_json::to_value(typed).map_err(|error| format!(": {error}"))?;
    match unknown_field("", &given, &known).or_else(|| unnamed_entry("", "", &given)) {
        Some(problem) => Err(problem),
        None => Ok(()),
    }
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let set = map.iter().filter(|(_, value)| !value.is_null());
            Value::Object(set.map(|(key, value)| (key.clone(), without_nulls(value))).collect())
        }
        Value::Array(list) => Value::Array(list.iter().map(without_nulls).collect()),
        other => other.clone(),
    }
}

/// The path of a field that was given but is none that Kubernetes knows.
pub(crate) fn unknown_field(path: &str, given: &Value, known: &Value) -> Option<String> {
    match (given, known) {
        (Value::Object(given), Value::Object(known)) => given.iter().find_map(|(key, value)| {
            let path = format!("{path}.{key}");
            match known.get(key) {
                Some(known) => unknown_field(&path, value, known),
                None if is_empty(value) => None,
                None => Some(format!("{path}: there is no such field in a pod template; check its spelling")),
            }
        }),
        (Value::Array(given), Value::Array(known)) => given
            .iter()
            .zip(known)
            .enumerate()
            .find_map(|(index, (given, known))| unknown_field(&format!("{path}[{index}]"), given, known)),
        _ => None,
    }
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty)
}

/// The path of an entry of a list that merges by key which lacks the key.
fn unnamed_entry(path: &str, field: &str, value: &Value) -> Option<String> {
    match value {
        Value::Object(map) => {
            map.iter().find_map(|(key, value)| unnamed_entry(&format!("{path}.{key}"), key, value))
        }
        Value::Array(list) => list.iter().enumerate().find_map(|(index, entry)| {
            let path = format!("{path}[{index}]");
            match merge_key(field) {
                Some(key) if entry.get(key).is_none() => Some(format!("{path}: the entry needs a {key}")),
                _ => unnamed_entry(&path, "", entry),
            }
        }),
        _ => None,
    }
}

/// The key by which the entries of a list are told apart, if the list is merged.
fn merge_key(list: &str) -> Option<&'static str> {
    match list {
        "containers" | "initContainers" | "volumes" | "env" | "imagePullSecrets" => Some("name"),
        "volumeMounts" => Some("mountPath"),
        _ => None,
    }
}

/// Lays `over` over `base`.
pub(crate) fn merge(base: &mut Value, over: &Map<String, Value>) {
    if let Value::Object(base) = base {
        merge_maps(base, over);
    }
}

fn merge_maps(base: &mut Map<String, Value>, over: &Map<String, Value>) {
    for (key, value) in over {
        match (base.get_mut(key), value) {
            (_, Value::Null) => {
                base.remove(key);
            }
            (Some(Value::Object(base)), Value::Object(over)) => merge_maps(base, over),
            (Some(Value::Array(base)), Value::Array(over)) if merge_key(key).is_some() => {
                merge_lists(base, over, merge_key(key).unwrap_or_default());
            }
            _ => {
                base.insert(key.clone(), without_nulls(value));
            }
        }
    }
}

fn merge_lists(base: &mut Vec<Value>, over: &[Value], key: &str) {
    for entry in over {
        match base.iter_mut().find(|existing| existing.get(key) == entry.get(key)) {
            // Where a value comes from is one choice: an entry of `env` or `volumes` is replaced, not blended.
            Some(existing) if !is_container(existing) => *existing = without_nulls(entry),
            Some(Value::Object(existing)) => {
                if let Value::Object(entry) = entry {
                    merge_maps(existing, entry);
                }
            }
            _ => base.push(without_nulls(entry)),
        }
    }
}

fn is_container(entry: &Value) -> bool {
    entry.get("image").is_some()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn template(yaml: &str) -> Map<String, Value> {
        serde_yaml::from_str(yaml).unwrap()
    }

    fn problem(yaml: &str) -> String {
        validate(Some(&template(yaml))).unwrap_err().message
    }

    #[test]
    fn a_misspelt_field_is_named_by_its_path() {
        assert!(
            problem("{spec: {tolertions: [{key: a}]}}")
                .starts_with("spec.podTemplate.spec.tolertions: there is no such field")
        );
        assert!(
            problem("{spec: {containers: [{name: registry, imagePullpolicy: Always}]}}")
                .starts_with("spec.podTemplate.spec.containers[0].imagePullpolicy: there is no such field")
        );
    }

    #[test]
    fn a_value_of_the_wrong_type_is_told() {
        assert!(problem("{spec: {nodeSelector: linux}}").starts_with("spec.podTemplate: invalid type"));
    }

    #[test]
    fn an_entry_without_its_key_is_told() {
        assert!(
            problem("{spec: {containers: [{env: [{name: A}]}]}}")
                .starts_with("spec.podTemplate.spec.containers[0]: the entry needs a name")
        );
    }

    #[test]
    fn a_good_template_is_taken() {
        let good = "{metadata: {annotations: {a: b}}, spec: {nodeSelector: {disk: ssd}, tolerations: [{key: a, operator: Exists}]}}";
        assert!(validate(Some(&template(good))).is_ok());
    }

    #[test]
    fn maps_merge_and_other_lists_replace() {
        let mut base = json!({"spec": {"a": 1, "tolerations": [{"key": "x"}]}});
        merge(&mut base, &template("{spec: {b: 2, tolerations: [{key: y}]}}"));
        assert_eq!(base, json!({"spec": {"a": 1, "b": 2, "tolerations": [{"key": "y"}]}}));
    }

    #[test]
    fn containers_merge_by_name_and_others_are_added() {
        let mut base =
            json!({"containers": [{"name": "registry", "image": "r", "env": [{"name": "A", "value": "1"}]}]});
        merge(
            &mut base,
            &template(
                "{containers: [{name: registry, env: [{name: A, valueFrom: {}}, {name: B, value: '2'}]}, {name: proxy, image: p}]}",
            ),
        );
        assert_eq!(
            base,
            json!({"containers": [
                {"name": "registry", "image": "r", "env": [{"name": "A", "valueFrom": {}}, {"name": "B", "value": "2"}]},
                {"name": "proxy", "image": "p"},
            ]})
        );
    }

    #[test]
    fn a_volume_is_replaced_as_a_whole() {
        let mut base = json!({"volumes": [{"name": "data", "emptyDir": {}}]});
        merge(&mut base, &template("{volumes: [{name: data, hostPath: {path: /srv}}]}"));
        assert_eq!(base, json!({"volumes": [{"name": "data", "hostPath": {"path": "/srv"}}]}));
    }

    #[test]
    fn null_removes_what_the_operator_set() {
        let mut base = json!({"spec": {"securityContext": {"fsGroup": 1, "runAsUser": 2}}});
        merge(&mut base, &template("{spec: {securityContext: {fsGroup: null}}}"));
        assert_eq!(base, json!({"spec": {"securityContext": {"runAsUser": 2}}}));
    }
}
