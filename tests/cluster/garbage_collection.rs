//! The CronJob that collects garbage, triggered by hand.

use crate::fixture::fixture;
use anyhow::{Context, Result};

#[test]
fn the_garbage_collection_completes_and_leaves_what_is_tagged() -> Result<()> {
    let fixture = fixture()?;
    let hub = &fixture.hub;
    let image = fixture.push("collected")?;
    hub.run(&["create", "job", "collect-now", "--from=cronjob/hub-gc"])?;
    let log = || hub.run(&["logs", "job/collect-now"]).unwrap_or_else(|error| format!("{error:#}"));
    hub.run(&["wait", "job/collect-now", "--for=condition=Complete", "--timeout=120s"]).with_context(log)?;
    fixture.laptop().pull("collected:1", &image.written)
}
