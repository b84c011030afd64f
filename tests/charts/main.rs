//! The chart: it is well-formed, it says no to a typo, it carries the custom resource definitions as they are, and a real
//! API server takes it.

mod definitions;
mod installation;
mod installed;
mod migration;
mod monitoring;
mod nodes;
mod operator_process;
mod registries;
mod scopes;
mod snapshots;
mod template;
mod upgrade;
mod values;

use anyhow::Result;
use berth_tests::chart;
use berth_tests::command::{fail, succeed};
use serde::Deserialize as _;
use serde_yaml::Value;
use std::process::Command;

/// A helm command on the chart, with values as `name=value`.
fn helm(verb: &[&str], values: &[&str]) -> Result<Command> {
    let mut command = chart::helm(verb)?;
    command.args(values.iter().flat_map(|value| ["--set", value]));
    Ok(command)
}

/// The objects that an installation with these values creates.
fn render(values: &[&str]) -> Result<Vec<Value>> {
    let text = succeed(&mut helm(&["template", "--kube-version=1.33", "berth"], values)?)?;
    let documents = serde_yaml::Deserializer::from_str(&text).map(Value::deserialize);
    Ok(documents.collect::<Result<Vec<_>, _>>()?.into_iter().filter(|document| !document.is_null()).collect())
}

/// What helm says to values that it refuses.
fn refusal(values: &[&str]) -> Result<String> {
    fail(&mut helm(&["template", "--kube-version=1.33", "berth"], values)?)
}

fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects.iter().filter(|object| object["kind"] == kind).collect()
}
