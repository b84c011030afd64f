//! `values.yaml` and its schema.

use super::{helm, refusal};
use anyhow::Result;
use berth_tests::command::succeed;

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
        ("registryImage.digest=x", "digest"),
        ("crds.install=true", "install"),
        ("pullSecrets.namespaces={a}", "namespaces"),
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
