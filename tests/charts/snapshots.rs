//! What is rendered from the chart and committed, so that a review sees what a change of a template does.

use anyhow::Result;
use berth_tests::chart;
use std::fs;

#[test]
fn the_plain_manifests_and_the_snapshots_are_fresh() -> Result<()> {
    for file in chart::rendered()? {
        let committed = fs::read_to_string(&file.path).unwrap_or_default();
        assert!(committed == file.content, "{} is stale: run `just render`", file.path.display());
    }
    Ok(())
}

#[test]
fn every_snapshot_has_its_values() -> Result<()> {
    let expected: Vec<_> = chart::rendered()?.into_iter().map(|file| file.path).collect();
    for entry in fs::read_dir(chart::folder().join("../../tests/charts/snapshots"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let known = name.ends_with(".values.yaml") || expected.iter().any(|path| path.ends_with(&name));
        assert!(known, "{name} is a snapshot of nothing");
    }
    Ok(())
}
