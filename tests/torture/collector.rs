//! Whoever starts one garbage collection after the other, at any of the servers.

use crate::Torture;
use anyhow::{Context, Result, ensure};
use berth_tests::fleet::{Ask, Client};
use berth_tests::http::Answer;
use fastrand::Rng;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

const PATH: &str = "/v2/_berth/garbage-collection";

/// How long it takes at most until nothing is left to collect: at first, the lease of one that was killed has to end.
const PATIENCE: Duration = Duration::from_mins(4);

/// Collects until it is over.
pub(crate) fn collect_without_pause(torture: &Torture, mut random: Rng) -> Result<()> {
    let mut client = torture.fleet.client();
    while torture.goes_on() {
        let order = json!({
            "deleteUntagged": random.usize(..3) > 0, "finish": random.usize(..3) > 0,
            "minimumAgeSeconds": torture.pace.minimum_age, "quarantineSeconds": torture.pace.quarantine,
        });
        let Some(started) = start(&mut client, &order)? else { continue };
        if started.status == 202 {
            torture.collecting.store(client.server(), Ordering::Relaxed);
            let ended = wait(&mut client, &started.json()?, || torture.goes_on())?;
            ended.map_or(Ok(()), |ended| count(torture, &ended))?;
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
    let mut client = torture.fleet.client();
    let end = Instant::now() + PATIENCE;
    loop {
        let order = json!({
            "deleteUntagged": true, "finish": true,
            "minimumAgeSeconds": 0, "quarantineSeconds": torture.pace.quarantine,
        });
        let started = start(&mut client, &order)?.context("a server has ended by itself")?;
        if let Some(ended) = wait(&mut client, &started.json()?, || Instant::now() < end)? {
            count(torture, &ended)?;
            if started.status == 202 && ended["quarantined"] == 0 {
                return Ok(());
            }
        }
        ensure!(Instant::now() < end, "garbage comes and comes: {}", started.text());
    }
}

/// Whether that server is deleting garbage now.
pub(crate) fn is_deleting(client: &mut Client, server: usize) -> Result<bool> {
    let told = client.send_to(server, Ask { method: "GET", path: PATH, ..Ask::default() })?;
    let run = told.map_or(Ok(Value::Null), |told| told.json())?;
    Ok(run["phase"] == "deleting")
}

fn start(client: &mut Client, order: &Value) -> Result<Option<Answer>> {
    let order = order.to_string();
    let headers = ["Content-Type: application/json".to_owned()];
    client.send(Ask { method: "POST", path: PATH, headers: &headers, body: order.as_bytes() })
}

/// The report of the run, which every server has, when it has ended; `None` when another run has followed by then, when its
/// server was killed, or when that takes too long.
fn wait(client: &mut Client, started: &Value, is_patient: impl Fn() -> bool) -> Result<Option<Value>> {
    while is_patient() {
        let run = client.question("GET", PATH)?.json()?;
        if run["replica"] != started["replica"] || is_abandoned(&run) {
            return Ok(None);
        }
        if run["state"] != "running" {
            ensure!(run["state"] == "succeeded", "a garbage collection has failed: {run}");
            return Ok(Some(run));
        }
        thread::park_timeout(Duration::from_millis(100));
    }
    Ok(None)
}

fn is_abandoned(run: &Value) -> bool {
    run["error"].as_str().is_some_and(|error| error.contains("the process that did it has ended"))
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
