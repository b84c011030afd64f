//! `registry config`: looks at configuration files without serving.

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use berth_registry::config::Options;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Tell whether a file, with the REGISTRY_* variables of the environment, can be served
    Check {
        /// Configuration file
        file: PathBuf,
    },
}

pub(super) fn run(command: &Command) -> anyhow::Result<ExitCode> {
    let Command::Check { file } = command;
    let loaded = super::load_config(Some(file), &Options::default())?;
    let mut output = io::stdout().lock();
    for warning in loaded.warnings {
        writeln!(output, "warning: {warning}")?;
    }
    for variable in loaded.ignored_variables {
        writeln!(output, "warning: environment variable {variable} is no setting of this server")?;
    }
    writeln!(output, "{} can be served", file.display())?;
    Ok(ExitCode::SUCCESS)
}
