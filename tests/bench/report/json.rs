//! A run as a file.

use crate::measurement::Row;
use crate::options::Options;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;
use std::thread;

/// All that is kept of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Report {
    /// How it was measured, in sentences.
    pub(crate) head: Vec<String>,
    /// What was measured.
    pub(crate) rows: Vec<Row>,
}

impl Report {
    pub(crate) fn new(options: &Options, rows: Vec<Row>) -> Self {
        let cores = thread::available_parallelism().map_or(0, usize::from);
        let head = vec![
            format!(
                "{cores} cores, loopback; {} rounds, each server in turn, {:?} a row; no server writes an access log.",
                options.rounds, options.seconds
            ),
            "The median of the rounds; the spread is how far the farthest round was from it.".into(),
            "The ratio is how many times as good as the reference a server is: above 1 is faster, or needs less."
                .into(),
            "CPU is that of the server alone: seconds per GiB where the row counts MiB, else per 1000 operations."
                .into(),
        ];
        Self { head, rows }
    }

    pub(crate) fn read(file: &Path) -> Result<Self> {
        let named = || format!("cannot read {}", file.display());
        serde_json::from_slice(&fs::read(file).with_context(named)?).with_context(named)
    }

    pub(crate) fn write(&self, file: &Path) -> Result<()> {
        let text = serde_json::to_vec_pretty(self)?;
        fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
    }

    /// A line for each row that a server failed.
    pub(crate) fn failures(&self) -> Vec<String> {
        let of = |row: &Row| {
            let failed =
                row.results.iter().filter_map(|results| Some((&results.server, results.failure.as_ref()?)));
            failed
                .map(|(server, why)| format!("{}: {server}: {why}", row.definition.operation))
                .collect::<Vec<_>>()
        };
        self.rows.iter().flat_map(of).collect()
    }
}
