//! The most memory that servers need while many pull: of processes that have done nothing before.

use super::reads::{counted, pull};
use crate::content::Library;
use crate::measurement::{Definition, Sample, Unit};
use crate::server::{ALL, Running, Server};
use crate::site::Site;
use anyhow::{Context, Result};
use std::path::Path;

/// Measures it with a new process for each round.
pub(super) fn of_pulls(site: &mut Site, data: &Path, library: &Library) -> Result<()> {
    let clients = site.sizes.pulls[1];
    let operation = format!("peak memory, {}", counted(clients, "pull"));
    let definition = Definition::new(operation, Unit::Memory, Server::Nginx.name());
    if !site.wants(&definition) {
        return Ok(());
    }
    let case = pull(library, clients, "", Server::Nginx.name());
    for _ in 0..site.options.rounds {
        for server in site.wanted(&ALL) {
            let running = Running::start(server, &site.open(data));
            let measured = running.and_then(|running| {
                let peak = case.sample(&running, site.options.seconds)?.peak;
                Ok(Sample { value: peak.context("a server of ours")?, ..Sample::default() })
            });
            site.note(&definition, server.name(), measured)?;
        }
    }
    Ok(())
}
