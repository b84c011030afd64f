//! The committed `CustomResourceDefinitions` are those of the Rust types, and are pleasant to read with `kubectl explain`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "the helpers of a test may fail it")]

use std::{fs, path::Path};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray,
};

#[test]
fn the_committed_manifests_are_fresh() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests");
    let definitions = berth_crds::custom_resource_definitions();
    for definition in &definitions {
        let file = folder.join(format!("{}.yaml", definition.metadata.name.as_deref().unwrap()));
        assert_eq!(
            fs::read_to_string(&file).unwrap(),
            serde_yaml::to_string(definition).unwrap(),
            "{} is stale: run `cargo run -p berth-crds --bin generate`",
            file.display()
        );
    }
    assert_eq!(fs::read_dir(&folder).unwrap().count(), definitions.len(), "a manifest of no resource");
}

#[test]
fn the_committed_reference_is_fresh() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("REFERENCE.md");
    assert_eq!(
        fs::read_to_string(&file).unwrap(),
        berth_crds::reference::reference(),
        "{} is stale: run `just generate`",
        file.display()
    );
}

#[test]
fn every_field_has_a_description() {
    for (name, schema) in schemas() {
        let mut bare = Vec::new();
        collect_bare_fields(&name, &schema, &mut bare);
        assert!(bare.is_empty(), "fields without a doc comment: {bare:#?}");
    }
}

#[test]
fn no_field_is_nullable_and_no_enum_allows_null() {
    for definition in berth_crds::custom_resource_definitions() {
        let manifest = serde_yaml::to_string(&definition).unwrap();
        assert!(!manifest.contains("nullable"), "a null would reach the rules");
        assert!(!manifest.contains("- null"), "an enum with null");
    }
}

#[test]
fn no_category_is_the_name_of_a_kind() {
    let definitions = berth_crds::custom_resource_definitions();
    let names = || definitions.iter().map(|definition| &definition.spec.names);
    for category in names().flat_map(|names| names.categories.iter().flatten()) {
        // `kubectl delete registry hub` would mean a registry of each kind, and be refused.
        let is_of = |name: Option<&String>| name == Some(category);
        assert!(
            !names().any(|names| is_of(names.singular.as_ref()) || is_of(Some(&names.plural))),
            "{category}"
        );
    }
}

#[test]
fn names_have_no_empty_lists() {
    for definition in berth_crds::custom_resource_definitions() {
        let names = definition.spec.names;
        for list in [names.categories, names.short_names] {
            assert_ne!(
                list,
                Some(Vec::new()),
                "deployment tools report an empty list as a difference for ever"
            );
        }
    }
}

#[test]
fn every_rule_has_a_message_and_a_pair_of_examples() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cel");
    let rejected: String = ["reject", "transition"]
        .iter()
        .flat_map(|folder| fs::read_dir(examples.join(folder)).unwrap())
        .map(|file| fs::read_to_string(file.unwrap().path()).unwrap())
        .collect();
    for (name, schema) in schemas() {
        let mut messages = Vec::new();
        collect_messages(&name, &schema, &mut messages);
        for message in messages {
            assert!(
                rejected.contains(&message),
                "no example under {} is rejected with: {message}",
                examples.display()
            );
        }
    }
}

fn schemas() -> Vec<(String, JSONSchemaProps)> {
    berth_crds::custom_resource_definitions().into_iter().flat_map(versions).collect()
}

fn versions(definition: CustomResourceDefinition) -> Vec<(String, JSONSchemaProps)> {
    let kind = definition.spec.names.kind;
    let schemas = definition.spec.versions.into_iter().map(|version| version.schema.unwrap());
    schemas.map(|schema| (kind.clone(), schema.open_api_v3_schema.unwrap())).collect()
}

fn collect_bare_fields(path: &str, schema: &JSONSchemaProps, bare: &mut Vec<String>) {
    if schema.description.as_deref().unwrap_or_default().is_empty() {
        bare.push(path.to_owned());
    }
    for_each_field(path, schema, |path, field| collect_bare_fields(path, field, bare));
}

fn collect_messages(path: &str, schema: &JSONSchemaProps, messages: &mut Vec<String>) {
    collect_own_messages(path, schema, messages);
    for_each_field(path, schema, |path, field| collect_messages(path, field, messages));
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &schema.items {
        collect_own_messages(&format!("{path}[]"), items, messages);
    }
}

fn collect_own_messages(path: &str, schema: &JSONSchemaProps, messages: &mut Vec<String>) {
    for rule in schema.x_kubernetes_validations.iter().flatten() {
        messages.push(rule.message.clone().unwrap_or_else(|| panic!("{path} has a rule without a message")));
    }
}

fn for_each_field(path: &str, schema: &JSONSchemaProps, mut visit: impl FnMut(&str, &JSONSchemaProps)) {
    for (name, field) in schema.properties.iter().flatten() {
        visit(&format!("{path}.{name}"), field);
    }
    // The items of a list of plain values need no text of their own.
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &schema.items {
        for (name, field) in items.properties.iter().flatten() {
            visit(&format!("{path}[].{name}"), field);
        }
    }
}
