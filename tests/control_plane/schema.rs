//! The rules of the schema, each with an object that is accepted and one that is refused, from `crds/tests/cel`.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};

use crate::fixture::{Namespace, kubectl};

fn examples(folder: &str) -> Vec<(String, String)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../crds/tests/cel").join(folder);
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let mut examples: Vec<_> = files
        .map(|file| {
            (file.file_stem().unwrap().to_string_lossy().into_owned(), fs::read_to_string(&file).unwrap())
        })
        .collect();
    examples.sort();
    examples
}

/// The first line of an example says what the API server should answer.
fn expected(example: &str) -> &str {
    example.lines().next().and_then(|line| line.strip_prefix("# expect: ")).unwrap()
}

fn dry_run(document: &str) -> Result<String> {
    kubectl().run_with_input(
        &["apply", "--server-side", "--dry-run=server", "--field-manager=test", "-f", "-"],
        document,
    )
}

#[test]
fn what_the_schema_allows_is_accepted() {
    for (name, example) in examples("accept") {
        dry_run(&example).with_context(|| name).unwrap();
    }
}

#[test]
fn what_a_rule_forbids_is_refused_with_its_message() {
    for (name, example) in examples("reject") {
        let refusal = dry_run(&example).err().map(|error| error.to_string());
        let refusal = refusal.unwrap_or_else(|| panic!("{name} was accepted"));
        assert!(refusal.contains(expected(&example)), "{name}: {refusal}");
    }
}

#[test]
fn what_a_rule_forbids_to_change_is_refused_with_its_message() {
    let namespace = Namespace::create("transitions").unwrap();
    for (name, example) in examples("transition") {
        let (before, after) = example.split_once("\n---\n").unwrap();
        namespace.apply(&before.replace("name: example", &format!("name: {name}"))).unwrap();
        let answer = namespace.apply(&after.replace("name: example", &format!("name: {name}")));
        match (expected(&example), answer) {
            ("accepted", answer) => answer.with_context(|| name).unwrap(),
            (message, Err(refusal)) => assert!(refusal.to_string().contains(message), "{name}: {refusal}"),
            (message, Ok(())) => panic!("{name} was accepted, against: {message}"),
        }
    }
}

#[test]
fn the_columns_show_what_matters() {
    let namespace = Namespace::create("columns").unwrap();
    namespace.apply_registry("{}").unwrap();
    namespace.wait_for_reason("Ready", "StorageNotReady").unwrap();
    let table = namespace.run(&["get", "reg"]).unwrap();
    let columns: Vec<&str> = table.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(columns, ["NAME", "READY", "REASON", "HOST", "STORAGE", "GC", "AGE"]);
    assert!(table.contains("hub.columns.svc"), "{table}");
}

#[test]
fn an_autoscaler_can_scale_it() {
    let namespace = Namespace::create("scaled").unwrap();
    namespace.apply_registry("{storage: {pvc: {accessMode: ReadWriteMany}}}").unwrap();
    namespace.run(&["scale", "registry/hub", "--replicas=3"]).unwrap();
    namespace.wait_for_objects().unwrap();
    berth_tests::cluster::wait::until("three replicas", crate::fixture::PATIENCE, || {
        let deployment = namespace.get("deployment/hub")?;
        anyhow::ensure!(deployment["spec"]["replicas"] == 3, "{}", deployment["spec"]["replicas"]);
        Ok(())
    })
    .unwrap();
}
