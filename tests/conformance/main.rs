//! The conformance suite of the OCI distribution specification, against the registry's own program, on the filesystem and on
//! S3. All of its tests are switched on, and all must pass: for the specification 1.1 with users, and for the one in
//! development without. The version decides what is on by default, and how the suite judges is the same.
//!
//! The reports, `results.yaml`, `junit.xml` and `report.html`, stay in `target/conformance`, in a folder for each run.

mod report;
mod suite;

use anyhow::{Context, Result, ensure};
use berth_tests::registry_server::{RegistryServer, Setup};
use berth_tests::storage::Storage;
use berth_tests::workspace;
use std::fs;
use std::io::{Write, stderr};
use std::path::Path;

/// Lets the suite push an image without its layers, which is refused unless it is asked for.
const TAKE_SPARSE_MANIFESTS: &str =
    "validation: {manifests: {images: {layers: none}, indexes: {platforms: none}}}\n";

#[test]
fn a_registry_on_the_filesystem_conforms() -> Result<()> {
    conforms("filesystem", Storage::filesystem)
}

#[test]
fn a_registry_on_s3_conforms() -> Result<()> {
    conforms("s3", Storage::s3)
}

/// Versions of the specification, each with whether everybody may do everything.
const ROUNDS: [(&str, bool); 2] = [("1.1", false), ("dev", true)];

/// Runs the suite once for each version, against a new server on an empty storage.
fn conforms(name: &str, storage: impl Fn() -> Result<Storage>) -> Result<()> {
    for (version, is_open) in ROUNDS {
        let more = TAKE_SPARSE_MANIFESTS.to_owned();
        let server = RegistryServer::start_as(&Setup { is_open, storage: Some(storage()?), more })?;
        let run = format!("{name}-{version}-{}", if is_open { "everybody" } else { "users" });
        pass(version, &server, &run).with_context(|| format!("the run {run} of the suite"))?;
    }
    Ok(())
}

/// Runs the suite, which must pass, and keeps its report.
fn pass(version: &str, server: &RegistryServer, run: &str) -> Result<()> {
    let folder = workspace::target_folder().join("conformance").join(run);
    empty(&folder)?;
    let output = suite::command(version, server, &folder)?.output().context("cannot start the suite")?;
    fs::write(folder.join("output.txt"), [output.stdout, output.stderr].concat())?;
    let report = report::read(&folder.join("junit.xml"))?;
    // Past the capture of tests that pass: the figures are to be seen in any case.
    writeln!(stderr(), "{run}: {report}")?;
    let open = report.not_passed();
    ensure!(open.is_empty(), "these did not pass: {open:#?}; see {}", folder.join("report.html").display());
    ensure!(output.status.success(), "the suite failed; see {}", folder.join("output.txt").display());
    Ok(())
}

/// So that no report of an earlier run is taken for one of this.
fn empty(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    Ok(fs::create_dir_all(folder)?)
}
