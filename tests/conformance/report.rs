//! The report of the suite, in the format of `JUnit`.

use anyhow::{Context, Result, ensure};
use roxmltree::{Document, Node};
use std::fmt;
use std::fs;
use std::path::Path;

/// What became of each test.
#[derive(Debug)]
pub(crate) struct Report(Vec<Case>);

#[derive(Debug)]
struct Case {
    name: String,
    /// `passed`, `skipped`, `failure` or `error`.
    status: String,
}

/// Reads the report, which must tell of at least one test.
pub(crate) fn read(file: &Path) -> Result<Report> {
    let text = fs::read_to_string(file).context("the suite has left no report")?;
    let document = Document::parse(&text)?;
    let cases = document.descendants().filter(|node| node.has_tag_name("testcase"));
    let report = Report(cases.map(case).collect());
    ensure!(!report.0.is_empty(), "the suite has tested nothing");
    Ok(report)
}

fn case(node: Node) -> Case {
    let attribute = |name: &str| node.attribute(name).unwrap_or_default().to_owned();
    Case { name: attribute("name"), status: attribute("status") }
}

impl Report {
    /// The tests that failed or were skipped.
    pub(crate) fn not_passed(&self) -> Vec<&str> {
        self.0.iter().filter(|case| case.status != "passed").map(|case| case.name.as_str()).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |status: &str| self.0.iter().filter(|case| case.status == status).count();
        let (passed, skipped) = (count("passed"), count("skipped"));
        let failed = self.0.len() - passed - skipped;
        write!(formatter, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}
