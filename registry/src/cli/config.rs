//! `registry config`: looks at configuration files without serving.

use std::{borrow::Cow, path::PathBuf, process::ExitCode};

use berth_registry::config::{Loaded, Options, Origin, Setting};
use serde_json::json;

use super::output::{print, print_json, print_table};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Tell what a file means, with the `REGISTRY_*` variables of the environment, and whether it can be served
    Check {
        /// Configuration file
        file: PathBuf,
        /// Print JSON for programs
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(command: &Command) -> anyhow::Result<ExitCode> {
    let Command::Check { file, json } = command;
    let loaded = super::load_config(Some(file), &Options::default())?;
    if *json {
        print_json(&document(&loaded))?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<_> = loaded.settings.iter().map(row).collect();
    print_table(0, &rows)?;
    print(|output| {
        for warning in warnings(&loaded) {
            writeln!(output, "warning: {warning}")?;
        }
        writeln!(output, "{} can be served", file.display())
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Key, value, and the place where it was written.
fn row(setting: &Setting) -> [String; 3] {
    [setting.key.clone(), setting.value.clone(), place(&setting.origin)]
}

/// The folder of the file is left out: there is only one file.
fn place(origin: &Origin) -> String {
    match origin {
        Origin::File { path, line } => {
            let name = path.file_name().map_or(Cow::Borrowed("file"), |name| name.to_string_lossy());
            format!("{name}:{line}")
        }
        origin => origin.to_string(),
    }
}

fn warnings(loaded: &Loaded) -> impl Iterator<Item = String> {
    let ignored = loaded
        .ignored_variables
        .iter()
        .map(|variable| format!("environment variable {variable} is no setting of this server"));
    loaded.warnings.iter().cloned().chain(ignored)
}

fn document(loaded: &Loaded) -> serde_json::Value {
    let setting = |setting: &Setting| json!({ "key": setting.key, "value": setting.value, "origin": place(&setting.origin) });
    json!({
        "settings": loaded.settings.iter().map(setting).collect::<Vec<_>>(),
        "warnings": warnings(loaded).collect::<Vec<_>>(),
    })
}
