//! Whoever starts one garbage collection after the other.

use super::client::Life;
use super::connection::{Ask, Connection};
use super::tally::Tally;
use anyhow::{Result, ensure};
use fastrand::Rng;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

const PATH: &str = "/v2/_berth/garbage-collection";

/// Collects for as long as the server lives. Whether a collection may fail depends on what happens to the storage.
pub(crate) fn collect(life: &Life, tally: &Tally, mut random: Rng) -> Result<()> {
    let Ok(mut connection) = Connection::open(life.port) else { return Ok(()) };
    while life.goes_on() {
        let order = json!({
            "deleteUntagged": random.u8(..4) > 0, "finish": false, "minimumAgeSeconds": 1, "quarantineSeconds": 5,
        });
        let order = order.to_string();
        let ask = Ask { method: "POST", path: PATH, body: order.as_bytes(), ..Ask::default() };
        let Ok(started) = connection.send(ask) else { break };
        if started.status == 202 {
            let Some(run) = wait(life, &mut connection, &started.json()?)? else { break };
            let may_fail = life.may_fail.load(Ordering::Relaxed);
            ensure!(run["state"] == "succeeded" || may_fail, "a garbage collection has failed: {run}");
            count(tally, &run);
        } else {
            ensure!(started.status == 409 || started.status >= 500, "{} {}", started.status, started.text());
        }
        // Until somebody has changed something, there is nothing new to collect.
        let operations = life.operations.load(Ordering::Relaxed);
        while life.goes_on() && life.operations.load(Ordering::Relaxed) < operations + 10 {
            thread::park_timeout(Duration::from_millis(5));
        }
    }
    Ok(())
}

/// The report of the run, when it has ended before the server.
fn wait(life: &Life, connection: &mut Connection, started: &Value) -> Result<Option<Value>> {
    while !life.is_over() {
        let ask = Ask { method: "GET", path: PATH, ..Ask::default() };
        let Ok(answer) = connection.send(ask) else { return Ok(None) };
        if answer.status < 500 {
            let run = answer.json()?;
            // For a moment, the one before it is told of, if it has begun in the same second.
            if run["replica"] == started["replica"] && run["state"] != "running" {
                return Ok(Some(run));
            }
        }
        thread::park_timeout(Duration::from_millis(25));
    }
    Ok(None)
}

fn count(tally: &Tally, run: &Value) {
    tally.count("garbage collections that ended");
    for (name, what) in [
        ("quarantined", "blobs and manifests put into quarantine"),
        ("rescued", "blobs and manifests rescued from quarantine"),
        ("manifestsDeleted", "manifests collected"),
        ("blobsDeleted", "blobs collected"),
    ] {
        tally.add(what, run[name].as_u64().unwrap_or_default());
    }
}
