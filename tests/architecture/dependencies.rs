//! Which crate may depend on which. `oci` and `storage` are leaves; the operator and the registry never meet; nothing
//! depends on the tests.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// The direct dependencies of each crate of the workspace, those of its tests left out.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline", "--locked"])
        .output()
        .expect("cargo metadata runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON");
    let packages = metadata["packages"].as_array().expect("a list of packages");
    packages.iter().map(|package| (text(&package["name"]), of(package))).collect()
}

fn of(package: &Value) -> BTreeSet<String> {
    let all = package["dependencies"].as_array().expect("a list of dependencies");
    all.iter()
        .filter(|dependency| dependency["kind"] != "dev")
        .map(|dependency| text(&dependency["name"]))
        .collect()
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

fn assert_without(of: &str, forbidden: &[&str]) {
    let all = dependencies();
    let found: Vec<_> = forbidden.iter().filter(|name| all[of].contains(**name)).collect();
    assert!(found.is_empty(), "{of} must not depend on {found:?}");
}

#[test]
fn oci_is_a_leaf_without_input_and_output() {
    assert_without(
        "berth-oci",
        &[
            "berth-storage",
            "berth-registry",
            "berth-crds",
            "berth-operator",
            "tokio",
            "axum",
            "kube",
            "hyper",
        ],
    );
}

#[test]
fn storage_is_a_leaf_that_serves_nobody_and_knows_no_oci() {
    assert_without(
        "berth-storage",
        &["berth-oci", "berth-registry", "berth-crds", "berth-operator", "axum", "kube"],
    );
}

#[test]
fn the_registry_knows_nothing_of_kubernetes() {
    assert_without("berth-registry", &["berth-crds", "berth-operator", "kube", "k8s-openapi"]);
}

#[test]
fn the_operator_and_the_registry_meet_only_through_image_file_and_http() {
    assert_without("berth-operator", &["berth-registry", "berth-storage", "axum"]);
}

#[test]
fn the_custom_resources_are_types_without_a_client() {
    assert_without(
        "berth-crds",
        &["berth-operator", "berth-registry", "berth-oci", "tokio", "kube-client", "kube-runtime"],
    );
}

#[test]
fn nothing_depends_on_the_tests() {
    for (name, dependencies) in dependencies() {
        assert!(!dependencies.contains("berth-tests"), "{name} must not depend on berth-tests");
    }
}
