//! Whether the benchmark works: every row at its smallest, in one short round. How fast anything is, no test says.

#![expect(clippy::expect_used, reason = "these are tests: what they cannot read fails them")]

use anyhow::{Context, Result};
use berth_tests::command::{fail, succeed};
use berth_tests::registry_process::program;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// What the operations of the rows begin with, and how many there are of each: with two ways to name a manifest, two methods and
/// three numbers of connections, or three sizes of blobs and two numbers of connections.
const ROWS: [(&str, usize); 30] = [
    ("generator of load on nginx", 2),
    ("GET /v2/", 1),
    ("manifest GET by tag, ", 9),
    ("manifest GET by digest, ", 9),
    ("manifest GET of 8 images", 1),
    ("manifest HEAD by tag, ", 9),
    ("manifest HEAD by digest, ", 9),
    ("blob GET 64 KiB", 4),
    ("blob GET 1 MiB", 4),
    ("blob GET 4 MiB", 4),
    ("blob HEAD", 1),
    ("blob range of 4 KiB", 1),
    ("pull of images", 2),
    ("peak memory, 8 pulls", 1),
    ("tags/list of 150, 1 connection", 1),
    ("tags/list of 150, page of 100", 1),
    ("_catalog of 120, page of 100", 1),
    ("push of 4 MiB", 2),
    ("peak memory, push of 4 MiB", 1),
    ("push of 8 images", 1),
    ("mount", 1),
    ("garbage collection of 20 manifests", 2),
    ("garbage collection of 40 manifests", 1),
    ("start to first 200", 1),
    ("idle memory", 1),
    ("S3: manifest GET", 2),
    ("S3: blob GET", 2),
    ("S3: pull of images", 1),
    ("S3: push of 4 MiB", 2),
    ("S3: push of 2 images", 1),
];

/// The benchmark over the program that tests use.
fn bench(arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bench"));
    command.args(["run", "--size=small", "--rounds=1", "--seconds=0.02"]).args(arguments);
    command.arg("--registry").arg(program()?);
    Ok(command)
}

fn rows(file: &Path) -> Result<Vec<Value>> {
    let report: Value = serde_json::from_slice(&fs::read(file)?)?;
    Ok(report["rows"].as_array().context("a list of rows")?.clone())
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

fn servers(row: &Value) -> impl Iterator<Item = &Value> {
    row["results"].as_array().expect("results of servers").iter()
}

#[test]
fn every_row_is_measured_and_stands_in_the_table_and_in_the_file() -> Result<()> {
    let folder = TempDir::new()?;
    let file = folder.path().join("run.json");
    let table = succeed(bench(&[])?.arg("--json").arg(&file))?;
    let rows = rows(&file)?;
    for (operation, count) in ROWS {
        let found = rows.iter().filter(|row| text(&row["operation"]).starts_with(operation)).count();
        assert_eq!(found, count, "{operation}\n{table}");
    }
    assert_eq!(rows.len(), ROWS.iter().map(|(_, count)| count).sum::<usize>(), "{table}");
    for row in &rows {
        assert_whole(row, &table);
    }
    assert!(table.contains("no server writes an access log"), "{table}");
    assert!(!table.contains("failed"), "{table}");

    let compared = succeed(Command::new(env!("CARGO_BIN_EXE_bench")).arg("compare").args([&file, &file]))?;
    let same = compared.lines().filter(|line| line.contains("  1.00  ")).count();
    let all: usize = rows.iter().map(|row| servers(row).count()).sum();
    assert_eq!(same, all, "what is compared with itself has not changed:\n{compared}");
    Ok(())
}

/// Each server has one sample, a line in the table, and what it is held against.
fn assert_whole(row: &Value, table: &str) {
    let operation = text(&row["operation"]);
    let reference = servers(row).find(|results| results["server"] == row["reference"]);
    assert!(reference.is_some(), "{operation} has no reference");
    for results in servers(row) {
        let server = text(&results["server"]);
        let value = results["samples"][0]["value"].as_f64();
        assert!(value.is_some_and(|value| value > 0.0), "{operation}: {server}: {results}");
        let line = |line: &&str| line.starts_with(operation) && line.contains(server);
        assert!(table.lines().any(|text| line(&text)), "{operation}: {server}\n{table}");
    }
}

#[test]
fn only_the_rows_and_servers_that_are_asked_for_are_measured() -> Result<()> {
    let folder = TempDir::new()?;
    let file = folder.path().join("run.json");
    succeed(bench(&["--only=blob HEAD|idle", "--servers=berth,nginx"])?.arg("--json").arg(&file))?;
    let rows = rows(&file)?;
    let operations: Vec<_> = rows.iter().map(|row| text(&row["operation"])).collect();
    assert_eq!(operations, ["blob HEAD, 4 connections", "idle memory"]);
    let names: Vec<_> = servers(&rows[0]).map(|results| text(&results["server"])).collect();
    assert_eq!(names, ["nginx", "berth"]);
    Ok(())
}

#[test]
fn what_cannot_be_measured_fails_the_run() -> Result<()> {
    let said = fail(&mut bench(&["--only=no such row"])?)?;
    assert!(said.contains("no row contains"), "{said}");
    // A program that serves nothing.
    let mut other = Command::new(env!("CARGO_BIN_EXE_bench"));
    other.args(["run", "--size=small", "--rounds=1", "--only=idle", "--registry=/bin/false"]);
    fail(&mut other).map(drop)
}
