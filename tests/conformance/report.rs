//! The report of a suite, in the format of `JUnit`.

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
    outcome: Outcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Passed,
    Skipped,
    Failed,
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
    let name = node.attribute("name").unwrap_or_default().to_owned();
    let has = |tag: &str| node.children().any(|child| child.has_tag_name(tag));
    // Newer suites have an attribute for it, older ones an element within.
    let outcome = match node.attribute("status") {
        Some("passed") => Outcome::Passed,
        Some("skipped") => Outcome::Skipped,
        Some(_) => Outcome::Failed,
        None if has("skipped") => Outcome::Skipped,
        None if has("failure") || has("error") => Outcome::Failed,
        None => Outcome::Passed,
    };
    Case { name, outcome }
}

impl Report {
    /// The tests that failed or were skipped, but for those whose name ends with one of these: they may be skipped.
    pub(crate) fn not_passed_except(&self, may_be_skipped: &[(&str, &str)]) -> Vec<&str> {
        let is_fine = |case: &Case| match case.outcome {
            Outcome::Passed => true,
            Outcome::Skipped => may_be_skipped.iter().any(|(name, _)| case.name.ends_with(name)),
            Outcome::Failed => false,
        };
        self.0.iter().filter(|case| !is_fine(case)).map(|case| case.name.as_str()).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |outcome| self.0.iter().filter(|case| case.outcome == outcome).count();
        let [passed, failed, skipped] = [Outcome::Passed, Outcome::Failed, Outcome::Skipped].map(count);
        write!(formatter, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}
