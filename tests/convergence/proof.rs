//! The proof: random edits, with and without faults of the API server, and what is there when they end.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use berth_crds::Registry;
use berth_operator::{apply::Desired, children::ChildId, registry};
use berth_tests::{
    cluster::wait,
    operator::{Faults, OperatorProcess, Options},
    trial::Trial,
};
use kube::Api;
use serde_json::Value;

use crate::{
    edits::{Edit, apply_registry},
    fixture::{self, PATIENCE, ensure_nothing_was_forbidden, find, kubectl, run},
};

/// For how long the edits go on.
const SECONDS: u64 = 40;

#[test]
fn whatever_is_edited_the_end_is_what_the_operator_would_build_and_then_nothing_is_written() -> Result<()> {
    let trial = Trial::new("CONVERGENCE", SECONDS)?;
    prove("edits", &trial, None).with_context(|| trial.to_string())
}

#[test]
fn the_same_holds_behind_an_api_server_that_fails() -> Result<()> {
    let trial = Trial::new("CONVERGENCE", SECONDS)?;
    let faults = Arc::new(Faults::new(trial.choices(2)));
    let outcome = prove("faults", &trial, Some(&faults)).with_context(|| trial.to_string());
    println!("{trial}: faults: {faults}");
    outcome
}

fn prove(namespace: &str, trial: &Trial, faults: Option<&Arc<Faults>>) -> Result<()> {
    kubectl().run(&["create", "namespace", namespace])?;
    let mut operator = fixture::operator(&[namespace])?;
    operator.gateway.spoil(faults.cloned());
    let count = edit(namespace, trial, &mut operator)?;
    operator.gateway.spoil(None);
    settle(namespace, &operator).with_context(|| operator.log())?;
    ensure_silent(namespace, &operator).with_context(|| operator.log())?;
    ensure_nothing_was_forbidden(&operator)?;
    println!(
        "{trial}: {namespace}: {count} edits, {} requests, {} of them writes",
        operator.gateway.passed().len(),
        operator.gateway.writes().len()
    );
    Ok(())
}

/// Edits for as long as the trial goes on, and leaves a Registry there.
fn edit(namespace: &str, trial: &Trial, operator: &mut OperatorProcess) -> Result<usize> {
    let mut choices = trial.choices(1);
    let started = std::time::Instant::now();
    let mut count = 0;
    while started.elapsed() < trial.duration {
        let edit = Edit::any(&mut choices);
        edit.make(namespace).with_context(|| format!("{edit:?}"))?;
        if matches!(edit, Edit::Restart) {
            operator.restart(&Options { namespaces: &[namespace], ..Options::default() })?;
        }
        count += 1;
    }
    apply_registry(namespace, "{access: {htpasswdSecretName: team}, logLevel: warn}")?;
    Edit::Users(crate::choices::USERS[0]).make(namespace)?;
    Ok(count)
}

/// Waits until every object is as the operator would build it now.
fn settle(namespace: &str, operator: &OperatorProcess) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    wait::until("everything to be as it should be", PATIENCE, || {
        touch(namespace)?;
        let differences = runtime.block_on(differences(namespace))?;
        ensure!(differences.is_empty(), "{differences:#?}");
        let registry = find(namespace, "registry", "hub")?.context("the Registry is gone")?;
        ensure!(
            registry["status"]["observedGeneration"] == registry["metadata"]["generation"],
            "the status is about an older generation; {} writes so far",
            operator.gateway.writes().len()
        );
        Ok(())
    })
}

/// What differs from what an operator would build now.
async fn differences(namespace: &str) -> Result<Vec<String>> {
    let context = fixture::context().await?;
    let registry = Api::<Registry>::namespaced(context.client.clone(), namespace).get("hub").await?;
    let mut differences = Vec::new();
    for (id, desired) in registry::desired(&context, &registry).await? {
        let live = match id.api(&context.client, namespace).get_opt(&id.name).await {
            // Not every cluster has its kind.
            Err(kube::Error::Api(status)) if status.code == 404 => None,
            found => found?,
        };
        let live = live.map(serde_json::to_value).transpose()?;
        differences.extend(difference(&id, &desired, live.as_ref()));
    }
    Ok(differences)
}

fn difference(id: &ChildId, desired: &Desired<Value>, live: Option<&Value>) -> Option<String> {
    match (desired, live) {
        (Desired::Present(_), None) => Some(format!("{id} is missing")),
        (Desired::Absent, Some(_)) => Some(format!("{id} is still there")),
        (Desired::Present(wanted), Some(live)) => {
            first_difference("", wanted, live).map(|path| format!("{id} differs at {path}"))
        }
        (Desired::Absent | Desired::AsIs, _) => None,
    }
}

/// The first field that was asked for and is not there. What others or defaults have added does not count.
fn first_difference(path: &str, wanted: &Value, live: &Value) -> Option<String> {
    match (wanted, live) {
        (Value::Object(wanted), Value::Object(live)) => wanted.iter().find_map(|(key, value)| {
            let path = format!("{path}/{key}");
            match live.get(key) {
                Some(live) => first_difference(&path, value, live),
                // What is empty is often left out.
                None if is_empty(value) => None,
                None => Some(path),
            }
        }),
        (Value::Array(wanted), Value::Array(live)) if wanted.len() == live.len() => {
            wanted.iter().zip(live).enumerate().find_map(|(index, (wanted, live))| {
                first_difference(&format!("{path}/{index}"), wanted, live)
            })
        }
        _ => (wanted != live).then(|| path.to_owned()),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Array(values) => values.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Bool(yes) => !yes,
        Value::Null => true,
        Value::Number(_) => false,
    }
}

/// Reconciles several times, and fails if anything is written. The controllers of the cluster may finish first.
fn ensure_silent(namespace: &str, operator: &OperatorProcess) -> Result<()> {
    wait::until("silence", PATIENCE, || {
        reconcile(namespace, operator)?;
        let before = operator.gateway.writes().len();
        for _ in 0..5 {
            reconcile(namespace, operator)?;
        }
        let writes = operator.gateway.writes();
        ensure!(writes.len() == before, "{:?}", &writes[before..]);
        Ok(())
    })
}

/// Touches the Secret of users, and waits until a reconciliation has begun because of it.
fn reconcile(namespace: &str, operator: &OperatorProcess) -> Result<()> {
    let looks = || {
        let passed = operator.gateway.passed();
        passed
            .iter()
            .filter(|request| !request.is_write() && request.path.ends_with("/registries/hub"))
            .count()
    };
    let before = looks();
    touch(namespace)?;
    wait::until("a reconciliation", PATIENCE, || {
        ensure!(looks() > before, "none yet");
        Ok(())
    })
}

fn touch(namespace: &str) -> Result<()> {
    let value = format!("example.com/touched={}", fastrand::u64(..));
    run(namespace, &["annotate", "--overwrite", "secret/team", &value]).map(drop)
}

#[test]
fn a_difference_is_found_at_its_path() {
    let wanted = serde_json::json!({"a": [{"b": 1, "c": ""}]});
    let found = |live: Value| first_difference("", &wanted, &live);
    assert_eq!(found(serde_json::json!({"a": [{"b": 1, "d": 2}], "e": 3})), None);
    assert_eq!(found(serde_json::json!({"a": [{"b": 2}]})).as_deref(), Some("/a/0/b"));
    assert_eq!(found(serde_json::json!({"a": []})).as_deref(), Some("/a"));
}
