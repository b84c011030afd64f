//! Whether our generator of load is as fast as a well-known one: else it would be what is measured.

use super::load::Case;
use super::reads::{counted, requests};
use crate::content::Library;
use crate::load::wrk;
use crate::measurement::{Definition, Sample, Unit};
use crate::server::{Running, Server};
use crate::site::Site;
use anyhow::Result;

const WRK: &str = "wrk";

fn definition(connections: usize) -> Definition {
    let operation = format!("generator of load on nginx, {}", counted(connections, "connection"));
    Definition::new(operation, Unit::Requests, WRK)
}

pub(super) fn is_wanted(site: &Site) -> bool {
    site.sizes.connections[1..].iter().any(|connections| site.wants(&definition(*connections)))
}

/// Measures both on the same file of the same nginx.
pub(super) fn measure(site: &mut Site, library: &Library, servers: &[Running]) -> Result<()> {
    let Some(nginx) = servers.iter().find(|server| server.server() == Server::Nginx) else { return Ok(()) };
    let (target, connections) = (library.by_digest(), site.sizes.connections);
    for connections in connections.into_iter().skip(1) {
        let definition = definition(connections);
        if !site.wants(&definition) {
            continue;
        }
        let own: Case<'_> = requests("GET", "", connections, WRK, &[], target.clone());
        for _ in 0..site.options.rounds {
            site.note(&definition, "bench", own.sample(nginx, site.options.seconds))?;
            let url = format!("http://127.0.0.1:{}{}", nginx.port(), nginx.path(&target));
            let rate = wrk(&url, connections, site.options.seconds);
            site.note(&definition, WRK, rate.map(|value| Sample { value, ..Sample::default() }))?;
        }
    }
    Ok(())
}
