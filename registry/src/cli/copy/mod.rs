//! `registry copy`: brings images from one registry or storage to another.

mod arguments;
mod location;
mod printed;
mod selection;
mod termination_message;

use std::{collections::BTreeMap, fs, process::ExitCode, time::Duration};

use anyhow::Context;
use berth_registry::{
    config::{Log, LogFormat},
    copying::{Copy, Place, Report},
    http_client::Authorities,
    telemetry,
    upstream::{Credentials, Settings, Upstream},
};
use hyper::Uri;
use tracing::Level;

pub(super) use arguments::Arguments;

use arguments::{End, Side};
use location::Location;

use super::{
    output::print_json, progress::ProgressLine, runtime, server::read_password, storage::StorageArguments,
};

/// How often the line that tells how far it is may change.
const INTERVAL: Duration = Duration::from_millis(200);

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let result = copy(arguments);
    if let Some(path) = &arguments.termination_log {
        let message = termination_message::of(&result)?;
        fs::write(path, message).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let report = result?;
    if arguments.json {
        print_json(&report)?;
    } else {
        printed::print_report(&report, arguments.dry_run)?;
    }
    Ok(if report.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn copy(arguments: &Arguments) -> anyhow::Result<Report> {
    telemetry::start(&Log {
        level: Level::WARN,
        format: LogFormat::Text,
        fields: BTreeMap::new(),
        access_log: false,
    });
    let source = open(arguments, End::Source).with_context(|| arguments.source.to_string())?;
    let destination = open(arguments, End::Destination).with_context(|| arguments.destination.to_string())?;
    runtime()?.block_on(async {
        let wanted = selection::wanted(arguments, &source).await?;
        let copy = Copy::new(source, destination, usize::from(arguments.jobs.get()));
        let copy = copy.of_tags(arguments.tags.clone());
        let copy = if arguments.dry_run { copy.as_dry_run() } else { copy };
        let mut work = std::pin::pin!(copy.run(wanted));
        let mut line = ProgressLine::new();
        loop {
            tokio::select! {
                report = work.as_mut() => return Ok(report),
                () = tokio::time::sleep(INTERVAL) => line.show(|| printed::progress(&copy.progress(), arguments.dry_run)),
            }
        }
    })
}

/// Who asks a registry: the user that is named, or the one of Docker's configuration.
fn credentials(arguments: &Arguments, side: &Side<'_>, url: &Uri) -> anyhow::Result<Credentials> {
    if let (Some(user), Some(file)) = (side.username, side.password_file) {
        return Ok(Credentials::Password { user: user.clone(), password: read_password(file)? });
    }
    let server = url.authority().map(ToString::to_string).unwrap_or_default();
    match arguments.authfile.clone().or_else(Credentials::docker_config) {
        Some(file) => Ok(Credentials::of_docker_config(&file, &server)?),
        None => Ok(Credentials::Anonymous),
    }
}

fn open(arguments: &Arguments, end: End) -> anyhow::Result<Place> {
    let storage = match arguments.location(end) {
        Location::Registry { url, .. } => {
            let side = arguments.side(end);
            let settings = Settings {
                credentials: credentials(arguments, &side, url)?,
                authorities: side.ca_file.cloned().map(Authorities::File),
                server_name: side.server_name.cloned(),
                ..Settings::new(url.clone())
            };
            return Ok(Place::Registry(Upstream::new(settings)?));
        }
        Location::Config(path) => StorageArguments::new(Some(path.clone()), None),
        Location::Folder(path) => StorageArguments::new(None, Some(path.clone())),
    };
    let registry = if end == End::Source { storage.open_to_read()? } else { storage.open_to_push_to()? };
    Ok(Place::Storage(registry))
}
