//! The reference page: every field, condition and reason, from the same doc comments that `kubectl explain` shows.

use std::fmt::{self, Write as _};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray,
};
use schemars::{JsonSchema, schema_for};
use serde_json::Value;

use crate::{
    ConditionType, Reason,
    annotation::{COLLECT_GARBAGE, PAUSED, REPLICATE, ROTATE, ROTATE_CA},
    custom_resource_definitions,
};

const HEAD: &str = "# The custom resources of Berth

This page is generated from the types: `just generate` writes it again.
";

/// The page, as Markdown.
pub fn reference() -> String {
    let mut page = HEAD.to_owned();
    // Writing to a String does not fail.
    let _written: fmt::Result = add_all(&mut page);
    page
}

fn add_all(page: &mut String) -> fmt::Result {
    for definition in custom_resource_definitions() {
        add_kind(page, &definition)?;
    }
    add_annotations(page)?;
    add_conditions(page)
}

fn add_kind(page: &mut String, definition: &CustomResourceDefinition) -> fmt::Result {
    for version in &definition.spec.versions {
        let schema = version.schema.as_ref().and_then(|schema| schema.open_api_v3_schema.as_ref());
        let Some(schema) = schema else { continue };
        let names = (&definition.spec.names.kind, &definition.spec.group, &version.name);
        writeln!(page, "\n## {}\n\n`apiVersion: {}/{}`\n\n{}", names.0, names.1, names.2, text(schema))?;
        for part in ["spec", "status"] {
            writeln!(page, "\n### `{part}`\n\n| field | type | default | meaning |\n|---|---|---|---|")?;
            if let Some(fields) = schema.properties.as_ref().and_then(|fields| fields.get(part)) {
                add_fields(page, part, fields)?;
            }
        }
        page.push_str("\n### Rules\n\nThe API server refuses what breaks one of these.\n\n");
        add_rules(page, "", schema)?;
    }
    Ok(())
}

fn add_fields(page: &mut String, path: &str, schema: &JSONSchemaProps) -> fmt::Result {
    for (name, field) in schema.properties.iter().flatten() {
        let path = format!("{path}.{name}");
        let default = field.default.as_ref().map(|default| format!("`{}`", default.0)).unwrap_or_default();
        writeln!(page, "| `{path}` | {} | {} | {} |", kind(field), cell(&default), cell(&text(field)))?;
        add_fields(page, &path, field)?;
        if let Some(JSONSchemaPropsOrArray::Schema(items)) = &field.items {
            add_fields(page, &format!("{path}[]"), items)?;
        }
    }
    Ok(())
}

/// The type of a field, or the values that it may have.
fn kind(field: &JSONSchemaProps) -> String {
    if let Some(values) = &field.enum_ {
        let values: Vec<String> =
            values.iter().map(|value| format!("`{}`", value.0).replace('"', "")).collect();
        return values.join(", ");
    }
    let named = field.format.as_deref().filter(|format| *format == "date-time");
    named.or(field.type_.as_deref()).unwrap_or("any").to_owned()
}

fn add_rules(page: &mut String, path: &str, schema: &JSONSchemaProps) -> fmt::Result {
    for rule in schema.x_kubernetes_validations.iter().flatten() {
        let place = if path.is_empty() { String::new() } else { format!("`{}`: ", &path[1..]) };
        writeln!(page, "- {place}{}", rule.message.as_deref().unwrap_or(&rule.rule))?;
    }
    for (name, field) in schema.properties.iter().flatten() {
        add_rules(page, &format!("{path}.{name}"), field)?;
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &schema.items {
        add_rules(page, &format!("{path}[]"), items)?;
    }
    Ok(())
}

fn add_annotations(page: &mut String) -> fmt::Result {
    writeln!(
        page,
        "\n## Annotations\n\n- `{PAUSED}: \"true\"`: nothing of the Registry is changed until the annotation is removed; the condition `Paused` says so."
    )?;
    writeln!(
        page,
        "- `{ROTATE}: VALUE`: a new value replaces the passwords of `admin` and `pull` once; `status.lastRotateRequest` says for which value. Those before stay good for three days. On a RegistryAccess it replaces that one's password."
    )?;
    writeln!(
        page,
        "- `{COLLECT_GARBAGE}: VALUE`: each new value runs one garbage collection at once, and one that begins with `dry-run` a dry run, which deletes nothing. `status.gc` tells what came of it; `status.gc.lastRequest` is the last value that a run was started for."
    )?;
    writeln!(
        page,
        "- `{REPLICATE}: VALUE`: each new value makes every copy of `spec.replication` once, at once. `status.replication` tells what came of it; `status.replication.lastRequest` is the last value that copies were started for."
    )?;
    writeln!(
        page,
        "- `{ROTATE_CA}: \"VALUE\"`: once for each new value, the operator's own certificate authority is replaced by one with a new key; `status.tls.rotation` tells how far that is, and which value was heeded."
    )
}

fn add_conditions(page: &mut String) -> fmt::Result {
    page.push_str("\n## Conditions and their reasons\n");
    let reasons = words::<Reason>();
    for (condition, meaning) in words::<ConditionType>() {
        writeln!(page, "\n### {condition}\n\n{meaning}\n\n| reason | meaning |\n|---|---|")?;
        for (reason, text) in &reasons {
            let Some((conditions, meaning)) = text.split_once(": ") else { continue };
            if conditions.split(", ").any(|one| one == format!("`{condition}`")) {
                writeln!(page, "| `{reason}` | {} |", cell(meaning))?;
            }
        }
    }
    Ok(())
}

/// The words of an enum with their doc comments.
fn words<T: JsonSchema>() -> Vec<(String, String)> {
    let schema = schema_for!(T).to_value();
    let word =
        |value: &Value| Some((value["const"].as_str()?.to_owned(), one_line(value["description"].as_str()?)));
    schema["oneOf"].as_array().into_iter().flatten().filter_map(word).collect()
}

fn text(schema: &JSONSchemaProps) -> String {
    one_line(schema.description.as_deref().unwrap_or_default())
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_names_the_conditions_that_may_give_it() {
        let conditions: Vec<String> =
            words::<ConditionType>().into_iter().map(|(word, _)| format!("`{word}`")).collect();
        for (reason, text) in words::<Reason>() {
            let (of, _) = text.split_once(": ").unwrap_or_default();
            assert!(!of.is_empty(), "{reason} names no condition");
            for one in of.split(", ") {
                assert!(conditions.iter().any(|condition| condition == one), "{reason} names {one}");
            }
        }
    }

    #[test]
    fn the_page_has_the_words_that_a_registry_reports() {
        let page = reference();
        for word in [
            Reason::TlsNotReady,
            Reason::SanMismatch,
            Reason::InvalidSan,
            Reason::PlainHttp,
            Reason::GatewayApiNotServed,
            Reason::BackendTlsNotServed,
        ] {
            assert!(page.contains(&format!("| `{word}` |")), "{word}");
        }
        assert!(page.contains("### TLSReady"));
        assert!(page.contains("| `spec.storage.pvc.size` |"));
        assert!(page.contains("| `status.host` |"));
    }
}
