//! MIGRATION.md, for those who come from another chart.

use anyhow::{Context as _, Result};
use berth_tests::{chart, workspace};
use serde_yaml::Value;
use std::fs;

#[test]
fn every_field_that_the_table_names_is_one_of_a_registry() -> Result<()> {
    let page = fs::read_to_string(chart::folder().join("MIGRATION.md"))?;
    let schema = schema_of_registries()?;
    let rows = page.lines().filter_map(|line| line.strip_prefix('|')?.split_once('|'));
    let fields: Vec<&str> =
        rows.flat_map(|(_, here)| here.split('`').filter(|word| word.starts_with("spec."))).collect();
    assert!(fields.len() > 20, "{fields:?}");
    for field in fields {
        assert!(has(&schema, field), "{field} is no field of a Registry");
    }
    Ok(())
}

fn schema_of_registries() -> Result<Value> {
    let manifest = workspace::root().join("crds/manifests/registries.berth.dev.yaml");
    let definition: Value = serde_yaml::from_str(&fs::read_to_string(manifest)?)?;
    let version = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    version.get("properties").cloned().context("the definition has no schema")
}

fn has(properties: &Value, field: &str) -> bool {
    match field.split_once('.') {
        None => !properties[field].is_null(),
        Some((first, rest)) => has(&properties[first]["properties"], rest),
    }
}
