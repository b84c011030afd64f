//! Writes again what is rendered from the chart and committed: the plain manifests and the snapshots.

use anyhow::Result;
use berth_tests::chart;
use std::fs;

fn main() -> Result<()> {
    for file in chart::rendered()? {
        fs::write(file.path, file.content)?;
    }
    Ok(())
}
