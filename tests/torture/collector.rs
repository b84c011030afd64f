//! Whoever starts one garbage collection after the other, at any of the servers.

use crate::Torture;
use crate::dice::Dice;
use crate::site::Connections;
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::thread;
use std::time::{Duration, Instant};

const PATH: &str = "/v2/_berth/garbage-collection";

/// Collects until it is over.
pub(crate) fn collect_without_pause(torture: &Torture, mut dice: Dice) -> Result<()> {
    let mut connections = torture.site.connect()?;
    while torture.goes_on() {
        let order = json!({
            "deleteUntagged": !dice.once_in(3), "finish": !dice.once_in(3),
            "minimumAgeSeconds": 2, "quarantineSeconds": 5,
        });
        let started =
            connections.send(&mut dice, "POST", PATH, "application/json", order.to_string().as_bytes())?;
        if started.status == 202 {
            if let Some(ended) = wait(&mut connections, &mut dice, &started.json()?)? {
                count(torture, &ended)?;
            }
        } else {
            ensure!(started.status == 409, "{} {}", started.status, started.text());
            torture.tally.refused_collections.add(1);
            thread::park_timeout(Duration::from_millis(200));
        }
    }
    Ok(())
}

/// Collects until nothing is left to collect.
pub(crate) fn collect_all(torture: &Torture) -> Result<()> {
    let mut connections = torture.site.connect()?;
    let mut dice = Dice::new(0);
    let patience = Instant::now() + Duration::from_mins(3);
    loop {
        let order = json!({
            "deleteUntagged": true, "finish": true, "minimumAgeSeconds": 0, "quarantineSeconds": 5,
        });
        let order = order.to_string();
        let started = connections.send(&mut dice, "POST", PATH, "application/json", order.as_bytes())?;
        if let Some(ended) = wait(&mut connections, &mut dice, &started.json()?)? {
            count(torture, &ended)?;
            if started.status == 202 && ended["quarantined"] == 0 {
                return Ok(());
            }
        }
        ensure!(Instant::now() < patience, "garbage comes and comes");
    }
}

/// The report of the run, which every server has, when it has ended; `None` when another run has followed by then.
fn wait(connections: &mut Connections, dice: &mut Dice, started: &Value) -> Result<Option<Value>> {
    loop {
        let run = connections.ask(dice, "GET", PATH)?.json()?;
        if run["replica"] != started["replica"] {
            return Ok(None);
        }
        if run["state"] != "running" {
            ensure!(run["state"] == "succeeded", "a garbage collection has failed: {run}");
            return Ok(Some(run));
        }
        thread::park_timeout(Duration::from_millis(100));
    }
}

fn count(torture: &Torture, run: &Value) -> Result<()> {
    let number = |name: &str| run[name].as_u64().with_context(|| format!("{name} in {run}"));
    torture.tally.collections.add(1);
    torture.tally.quarantined.add(number("quarantined")?);
    torture.tally.rescued.add(number("rescued")?);
    torture.tally.deleted_manifests.add(number("manifestsDeleted")?);
    torture.tally.deleted_blobs.add(number("blobsDeleted")?);
    Ok(())
}
