//! Rows that ask for the same again and again, for some time.

use crate::load::{Operation, Tally};
use crate::measurement::{Cost, Definition, Sample, Unit, float, process};
use crate::server::Running;
use crate::site::Site;
use anyhow::Result;
use std::time::Duration;

/// A row, and how it is measured.
pub(super) struct Case<'a> {
    pub(super) definition: Definition,
    pub(super) connections: usize,
    pub(super) operations: Operations<'a>,
}

/// What is asked of a server.
type Operations<'a> = Box<dyn Fn(&Running) -> Result<Vec<Operation>> + 'a>;

impl<'a> Case<'a> {
    pub(super) fn new(
        definition: Definition,
        connections: usize,
        operations: impl Fn(&Running) -> Result<Vec<Operation>> + 'a,
    ) -> Self {
        Self { definition, connections, operations: Box::new(operations) }
    }

    /// Measures it once.
    pub(super) fn sample(&self, server: &Running, time: Duration) -> Result<Sample> {
        let operations = (self.operations)(server)?;
        let pids = &server.pids()?;
        let mut clients = server.clients(self.connections, &operations)?;
        // What is only read the first time, and connections that only now are accepted, are not what is measured.
        clients.run(time / 10, 0)?;
        process::forget_peak(pids)?;
        let before = Cost::of(pids)?;
        let least = u64::from(self.definition.unit != Unit::Throughput);
        let tally = clients.run(time, least)?;
        let after = Cost::of(pids)?;
        drop(clients);
        process::rest(pids)?;
        let cost = Cost { cpu: after.cpu.saturating_sub(before.cpu), peak: after.peak };
        Ok(sample(self.definition.unit, &tally, (!pids.is_empty()).then_some(cost)))
    }
}

/// Measures those of the rows that are wanted: in each round each row, of each row each server.
pub(super) fn measure(site: &mut Site, cases: &[Case<'_>], servers: &[Running]) -> Result<()> {
    for _ in 0..site.options.rounds {
        for case in cases {
            // Looked at here, because what is measured is noted in the site.
            let servers = if site.wants(&case.definition) { servers } else { &[] };
            for server in servers {
                let measured = case.sample(server, site.options.seconds);
                site.note(&case.definition, server.name(), measured)?;
            }
        }
    }
    Ok(())
}

/// Whether any of the rows is wanted.
pub(super) fn any(site: &Site, cases: &[Case<'_>]) -> bool {
    cases.iter().any(|case| site.wants(&case.definition))
}

/// What was done, in the unit of the row.
pub(super) fn sample(unit: Unit, tally: &Tally, cost: Option<Cost>) -> Sample {
    let (mebibytes, operations) = (float(tally.bytes) / 1_048_576.0, float(tally.operations));
    let (count, per) = match unit {
        Unit::Throughput => (mebibytes, 1024.0),
        _ => (operations, 1000.0),
    };
    let milliseconds =
        |percent| tally.latencies.percentile(percent).map(|latency| latency.as_secs_f64() * 1000.0);
    Sample {
        value: count / tally.time.as_secs_f64(),
        cpu: cost.map(|cost| cost.cpu.as_secs_f64() / count * per).filter(|cpu| cpu.is_finite()),
        peak: cost.map(|cost| float(cost.peak) / 1_048_576.0),
        p50: milliseconds(50),
        p99: milliseconds(99),
    }
}
