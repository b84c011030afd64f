//! `values.yaml` and its schema.

use super::{helm, refusal};
use anyhow::Result;
use berth_tests::chart;
use berth_tests::command::succeed;
use serde_json::Value;
use std::fs;

#[test]
fn the_chart_passes_lint_without_a_warning() -> Result<()> {
    let said = succeed(&mut helm(&["lint", "--strict", "--quiet"], &[])?)?;
    assert!(!said.contains("WARNING"), "{said}");
    Ok(())
}

#[test]
fn a_misspelt_value_is_refused_by_name() -> Result<()> {
    for (value, name) in [
        ("imagePulSecrets[0].name=x", "imagePulSecrets"),
        ("image.repo=x", "repo"),
        ("registryImage.sha=x", "sha"),
        ("registries[0].names=x", "names"),
        ("extraEnv[0].names=x", "names"),
        ("otlp.enpoint=x", "enpoint"),
        ("networkPolicy.enable=true", "enable"),
        ("podDisruptionBudget.minAvailable=1", "minAvailable"),
        ("crds.install=true", "install"),
        ("pullSecrets.namespaces={a}", "namespaces"),
        ("nodeAgent.enable=true", "enable"),
        ("nodeAgent.paths.dockerd.certificates=/etc", "dockerd"),
        ("log.colour=true", "colour"),
        ("metrics.alerts.enabled=true", "alerts"),
        ("serviceAccount.annotation.x=y", "annotation"),
    ] {
        let said = refusal(&[value])?;
        assert!(said.contains(name), "{value}: {said}");
    }
    Ok(())
}

#[test]
fn a_value_of_the_wrong_kind_is_refused() -> Result<()> {
    for value in [
        "replicas=many",
        "metrics.serviceMonitor.interval=often",
        "log.level=loud",
        "log.format=xml",
        "crds.keep=maybe",
        "image.repository=",
        "watchNamespaces=default",
        "pullSecrets.allowedNamespaces={Team A}",
        "nodeAgent.runtimes={rkt}",
        "nodeAgent.runtimes={}",
        "nodeAgent.paths.containerd.hosts=certs.d",
        "nodeAgent.allowedHosts={https://a}",
        "image.digest=sha256:short",
        "image.tag=@sha256:0",
        "otlp.endpoint=collector:4318",
        "registries[0].name=Hub",
        "extraObjects[0]=1",
    ] {
        refusal(&[value])?;
    }
    Ok(())
}

#[test]
fn a_service_account_that_is_not_created_must_be_named() -> Result<()> {
    let said = refusal(&["serviceAccount.create=false"])?;
    assert!(said.contains("serviceAccount.name is needed"), "{said}");
    Ok(())
}

#[test]
fn the_schema_knows_the_values_and_no_others() -> Result<()> {
    let text = fs::read_to_string(chart::folder().join("values.yaml"))?;
    let schema: Value =
        serde_json::from_str(&fs::read_to_string(chart::folder().join("values.schema.json"))?)?;
    let values: Value = serde_yaml::from_str(&text)?;
    let names = |object: &Value| object.as_object().map(|it| it.keys().cloned().collect::<Vec<_>>());
    assert_eq!(
        names(&values),
        names(&schema["properties"]),
        "values.yaml and its schema name the same values"
    );
    Ok(())
}
