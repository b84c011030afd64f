//! The benchmark: this registry, the original ones and nginx over the same files on one machine, measured in turn.
//!
//! `rows` says what is measured, `server` how servers are started, `content` what they serve, `load` how they are asked,
//! `measurement` what is noted, and `report` how it is told.

mod content;
mod load;
mod measurement;
mod options;
mod report;
mod rows;
mod server;
mod site;

use anyhow::{Result, ensure};
use clap::Parser as _;
use options::{Command, CommandLine, Options};
use report::Report;
use site::Site;
use std::io::{Write as _, stdout};

fn main() -> Result<()> {
    match CommandLine::parse().command {
        Command::Run(options) => run(options),
        Command::Compare { before, after } => {
            let (before, after) = (Report::read(&before)?, Report::read(&after)?);
            Ok(write!(stdout(), "{}", report::compare(&before, &after))?)
        }
    }
}

fn run(options: Options) -> Result<()> {
    let file = options.json.clone();
    let mut site = Site::new(options)?;
    rows::measure(&mut site)?;
    let report = site.report();
    write!(stdout(), "{}", report::table(&report))?;
    if let Some(file) = file {
        report.write(&file)?;
    }
    ensure!(!report.rows.is_empty(), "no row contains what --only says");
    let failures = report.failures();
    ensure!(failures.is_empty(), "not everything could be measured:\n{}", failures.join("\n"));
    Ok(())
}
