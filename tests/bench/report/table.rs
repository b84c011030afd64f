//! A run as a table.

use super::Report;
use super::columns::{columns, number};
use crate::measurement::{Results, Row, Sample, Summary};

const TITLES: [&str; 10] =
    ["operation", "server", "median", "", "spread", "ratio", "CPU s", "peak MiB", "p50 ms", "p99 ms"];

/// The head and the table.
pub(crate) fn table(report: &Report) -> String {
    let titles = TITLES.map(str::to_owned).to_vec();
    let lines = report.rows.iter().flat_map(of_row);
    let lines: Vec<_> = std::iter::once(titles).chain(lines).collect();
    format!("{}\n\n{}", report.head.join("\n"), columns(&lines))
}

fn of_row(row: &Row) -> Vec<Vec<String>> {
    row.results.iter().map(|results| line(row, results)).collect()
}

fn line(row: &Row, results: &Results) -> Vec<String> {
    let named = [row.definition.operation.clone(), results.server.clone()];
    let Some(summary) = Summary::of(results) else {
        return named.into_iter().chain(["failed".to_owned()]).collect();
    };
    let shown = |pick: fn(&Sample) -> Option<f64>| pick(&summary.median).map_or_else(String::new, number);
    let is_reference = results.server == row.definition.reference;
    let ratio =
        if is_reference { Some("1".into()) } else { row.ratio(results).map(|ratio| format!("{ratio:.2}")) };
    let figures = [
        number(summary.median.value),
        row.definition.unit.name().to_owned(),
        format!("±{:.0}%", summary.spread * 100.0),
        ratio.unwrap_or_default(),
        shown(|sample| sample.cpu),
        shown(|sample| sample.peak),
        shown(|sample| sample.p50),
        shown(|sample| sample.p99),
    ];
    named.into_iter().chain(figures).collect()
}
