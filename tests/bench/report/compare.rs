//! Two runs beside each other.

use super::Report;
use super::columns::{columns, number};
use crate::measurement::{Results, Row, Summary};

const TITLES: [&str; 9] =
    ["operation", "server", "before", "after", "", "after/before", "spread", "ratio before", "ratio after"];

/// What each server made of each row that both runs have.
pub(crate) fn compare(before: &Report, after: &Report) -> String {
    let titles = TITLES.map(str::to_owned).to_vec();
    let lines = after.rows.iter().flat_map(|row| of_row(before, row));
    let lines: Vec<_> = std::iter::once(titles).chain(lines).collect();
    format!(
        "How many times as good as before, where above 1 is faster, or needs less; the ratios are those to the reference \
         of each run.\n\n{}",
        columns(&lines)
    )
}

fn of_row(before: &Report, row: &Row) -> Vec<Vec<String>> {
    let same = |other: &&Row| other.definition.operation == row.definition.operation;
    let Some(other) = before.rows.iter().find(same) else { return Vec::new() };
    let both = row.results.iter().filter_map(|results| Some((other.of(&results.server)?, results)));
    both.filter_map(|(then, now)| line((other, then), (row, now))).collect()
}

fn line(before: (&Row, &Results), after: (&Row, &Results)) -> Option<Vec<String>> {
    let (then, now) = (Summary::of(before.1)?, Summary::of(after.1)?);
    let ratio = |(row, results): (&Row, &Results)| row.ratio(results).map_or_else(String::new, number);
    Some(vec![
        after.0.definition.operation.clone(),
        after.1.server.clone(),
        number(then.median.value),
        number(now.median.value),
        after.0.definition.unit.name().to_owned(),
        format!("{:.2}", now.ratio(after.0, &then)),
        format!("±{:.0}%", now.spread.max(then.spread) * 100.0),
        ratio(before),
        ratio(after),
    ])
}
