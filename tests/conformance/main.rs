//! The conformance suite of the OCI distribution specification, against the registry's own program, with users and without.
//!
//! `tests/install` builds the newest version of the suite that the Go module proxy serves. The variable
//! `CONFORMANCE_SUITE` may name the program of a newer one, which then runs in its place, for the specification 1.1 and for
//! the one in development.
//!
//! The reports, `junit.xml` and `report.html`, stay in `target/conformance`, in a folder for each run.

mod report;
mod suite;

use anyhow::{Context, Result, ensure};
use berth_tests::registry_server::{RegistryServer, Setup};
use berth_tests::workspace;
use std::fs;
use std::io::{Write, stderr};
use std::path::Path;
use suite::{Round, Suite};

/// Lets the suite push an image without its layers, which is refused unless it is asked for.
const TAKE_SPARSE_MANIFESTS: &str =
    "validation: {manifests: {images: {layers: none}, indexes: {platforms: none}}}\n";

#[test]
fn a_registry_on_the_filesystem_conforms() -> Result<()> {
    conforms("filesystem", RegistryServer::start_as)
}

/// Runs all rounds of the suite, each against a new server on the storage, which `start` starts.
fn conforms(storage: &str, start: impl Fn(&Setup) -> Result<RegistryServer>) -> Result<()> {
    let suite = Suite::chosen()?;
    for (access, is_open) in [("users", false), ("everybody", true)] {
        for round in suite.rounds() {
            let server = start(&Setup { is_open, more: TAKE_SPARSE_MANIFESTS.to_owned() })?;
            let run = format!("{storage}-{access}-{}", round.name);
            pass(&suite, &round, &server, &run).with_context(|| format!("the run {run} of the suite"))?;
        }
    }
    Ok(())
}

/// Runs one round, which must pass, and keeps its report.
fn pass(suite: &Suite, round: &Round, server: &RegistryServer, run: &str) -> Result<()> {
    let folder = workspace::target_folder().join("conformance").join(run);
    empty(&folder)?;
    let output = suite.command(round, server, &folder).output().context("cannot start the suite")?;
    fs::write(folder.join("output.txt"), [output.stdout, output.stderr].concat())?;
    let report = report::read(&folder.join("junit.xml"))?;
    // Past the capture of tests that pass: the figures are to be seen in any case.
    writeln!(stderr(), "{run}: {report}")?;
    let open = report.not_passed_except(suite.reasons_to_skip());
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
