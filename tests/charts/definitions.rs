//! The custom resource definitions in the chart.

use super::{of_kind, render};
use anyhow::Result;
use berth_tests::workspace;
use serde_yaml::Value;
use std::fs;

#[test]
fn the_chart_carries_the_generated_manifests_unchanged() -> Result<()> {
    for entry in fs::read_dir(workspace::root().join("crds/manifests"))? {
        let entry = entry?;
        let copy = workspace::root().join("charts/berth/files/crds").join(entry.file_name());
        assert_eq!(fs::read_to_string(entry.path())?, fs::read_to_string(&copy)?, "run `just generate`");
    }
    Ok(())
}

#[test]
fn they_are_installed_with_the_chart_and_stay_when_it_goes() -> Result<()> {
    let objects = render(&[])?;
    let definitions = of_kind(&objects, "CustomResourceDefinition");
    let names: Vec<_> = definitions.iter().map(|definition| &definition["metadata"]["name"]).collect();
    let expected = ["registries.berth.dev", "registryaccesses.berth.dev"].map(Value::from);
    assert_eq!(names, expected.each_ref());
    for definition in definitions {
        assert_eq!(definition["metadata"]["annotations"]["helm.sh/resource-policy"], "keep");
    }
    Ok(())
}

#[test]
fn they_can_be_left_to_others() -> Result<()> {
    assert!(of_kind(&render(&["crds.enabled=false"])?, "CustomResourceDefinition").is_empty());
    let objects = render(&["crds.keep=false"])?;
    let annotation = &of_kind(&objects, "CustomResourceDefinition")[0]["metadata"]["annotations"]["helm.sh/resource-policy"];
    assert!(annotation.is_null(), "{annotation:?}");
    Ok(())
}
