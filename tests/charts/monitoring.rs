//! What Prometheus and Grafana are given: nothing unless it is asked for, and then what they understand.

use super::{of_kind, render};
use anyhow::{Context as _, Result};
use berth_operator::leader::Leadership;
use berth_operator::metrics::{FailureReason, Metrics};
use berth_tests::chart;
use berth_tests::command::succeed;
use berth_tests::programs::packaged;
use serde_yaml::Value;
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

const ALL: [&str; 3] =
    ["metrics.serviceMonitor.enabled=true", "metrics.rules.enabled=true", "metrics.dashboard.enabled=true"];

fn rules() -> Result<Value> {
    let objects = render(&ALL)?;
    Ok(of_kind(&objects, "PrometheusRule").first().context("no PrometheusRule")?["spec"].clone())
}

fn alerts(rules: &Value) -> Vec<Value> {
    rules["groups"][0]["rules"].as_sequence().cloned().unwrap_or_default()
}

#[test]
fn nothing_is_there_unless_it_is_asked_for() -> Result<()> {
    let objects = render(&[])?;
    for kind in ["ServiceMonitor", "PrometheusRule"] {
        assert!(of_kind(&objects, kind).is_empty(), "{kind}");
    }
    let dashboards = |map: &&&serde_yaml::Value| map["metadata"]["name"] == "berth-dashboard";
    assert!(of_kind(&objects, "ConfigMap").iter().filter(dashboards).count() == 0);
    Ok(())
}

#[test]
fn the_service_monitor_selects_the_service_and_its_port() -> Result<()> {
    let objects = render(&ALL)?;
    let (monitor, service) = (of_kind(&objects, "ServiceMonitor")[0], of_kind(&objects, "Service")[0]);
    let labels = service["metadata"]["labels"].as_mapping().context("no labels")?;
    let selected = monitor["spec"]["selector"]["matchLabels"].as_mapping().context("no selector")?;
    assert!(selected.iter().all(|(key, value)| labels.get(key) == Some(value)));
    assert_eq!(monitor["spec"]["endpoints"][0]["port"], service["spec"]["ports"][0]["name"]);
    assert_eq!(monitor["spec"]["namespaceSelector"]["matchNames"][0], service["metadata"]["namespace"]);
    Ok(())
}

#[test]
fn prometheus_takes_the_rules_and_they_fire_when_they_should() -> Result<()> {
    let folder = TempDir::new()?;
    fs::write(folder.path().join("rules.yaml"), serde_yaml::to_string(&rules()?)?)?;
    let tests = chart::folder().join("../../tests/charts/rules_test.yaml");
    fs::copy(tests, folder.path().join("rules_test.yaml"))?;
    let promtool = || -> Result<Command> {
        let mut promtool = Command::new(packaged("promtool")?);
        promtool.current_dir(folder.path());
        Ok(promtool)
    };
    succeed(promtool()?.args(["check", "rules", "rules.yaml"]))?;
    succeed(promtool()?.args(["test", "rules", "rules_test.yaml"]))?;
    Ok(())
}

#[test]
fn every_alert_says_what_is_wrong_and_where_to_read_on() -> Result<()> {
    let runbook = fs::read_to_string(chart::folder().join("RUNBOOK.md"))?;
    let sections: BTreeSet<String> =
        runbook.lines().filter_map(|line| line.strip_prefix("## ")).map(str::to_lowercase).collect();
    let alerts = alerts(&rules()?);
    for alert in &alerts {
        let name = alert["alert"].as_str().unwrap_or_default();
        for text in ["summary", "description"] {
            assert!(alert["annotations"][text].is_string(), "{name} has no {text}");
        }
        let link = format!("RUNBOOK.md#{}", name.to_lowercase());
        assert_eq!(alert["annotations"]["runbook_url"], link.as_str());
        assert!(sections.contains(&name.to_lowercase()), "RUNBOOK.md has no section {name}");
    }
    assert_eq!(sections.len(), alerts.len(), "a section of no alert");
    Ok(())
}

#[test]
fn alerts_and_dashboard_ask_for_what_the_operator_tells() -> Result<()> {
    let page = page_of_an_operator();
    let dashboard = fs::read_to_string(chart::folder().join("files/dashboard.json"))?;
    let parsed: serde_json::Value = serde_json::from_str(&dashboard)?;
    assert_eq!(parsed["title"], "Berth operator");
    let asked = format!("{dashboard}{}", serde_yaml::to_string(&rules()?)?);
    let word = |c: char| !c.is_ascii_alphanumeric() && c != '_';
    let names: BTreeSet<&str> =
        asked.split(word).filter(|name| name.starts_with("berth_operator_")).collect();
    assert!(names.len() >= 5, "{names:?}");
    for name in names {
        let family = ["_total", "_bucket"].iter().fold(name, |name, suffix| name.trim_end_matches(suffix));
        assert!(page.contains(&format!("# TYPE {family} ")), "the operator does not tell {name}:\n{page}");
    }
    Ok(())
}

/// The page of a leader that has seen everything once.
fn page_of_an_operator() -> String {
    let metrics = Metrics::default();
    metrics.tell_leadership(Leadership::undisputed());
    metrics.reconciled(Duration::ZERO, Some(FailureReason::Api));
    metrics.asked(&http::Method::GET, Some(200));
    metrics.render()
}
