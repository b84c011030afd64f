//! What pulls cost: how many requests the registry sends to S3 for manifests that are pulled all the time.

use crate::SERVER;
use crate::site::{Site, layer};
use anyhow::{Context, Result};
use berth_tests::command::succeed;
use berth_tests::registry_process::{free_port, program};
use std::process::Command;
use std::time::Instant;

/// How often each manifest is pulled. Besides, the registry looks now and then whether all is well.
const PULLS: u64 = 40;

/// How often S3 was asked, as the registry itself counts.
fn asked(debug: &str) -> Result<u64> {
    let metrics =
        succeed(Command::new("curl").args(["--silent", "--fail", &format!("http://{debug}/metrics")]))?;
    let counts = metrics.lines().filter(|line| line.starts_with("registry_storage_action_seconds_count{"));
    counts.map(|line| Ok(line.rsplit(' ').next().context("a count")?.parse::<u64>()?)).sum()
}

/// For how long, in seconds, the registry takes what S3 has said to hold: as long as it may take until the deletion of a manifest by
/// another server is seen here.
const PATIENCE: u64 = 2;

/// How much it asks after that: for the manifest, for the quarantine, and now and then whether S3 is well.
const LOOK: u64 = 3;

#[test]
fn a_tag_is_read_each_time_and_a_digest_is_asked_for_no_more_often_than_is_promised() -> Result<()> {
    let site = Site::new(&SERVER, "reads")?;
    let debug = format!("127.0.0.1:{}", free_port()?);
    let variables =
        [("REGISTRY_HTTP_DEBUG_ADDR", &*debug), ("REGISTRY_HTTP_DEBUG_PROMETHEUS_ENABLED", "true")];
    let server = site.serve_with(program()?, &variables)?;
    site.push("team/app", "1", &layer(b'r', 1000))?;
    let accept = ["--header", "Accept: */*"];
    let found = site.ask(&accept, "/v2/team/app/manifests/1")?.expect(200)?;
    let digest = found.header("docker-content-digest").context("no digest")?.to_owned();

    for reference in ["1", &*digest] {
        let (before, begun) = (asked(&debug)?, Instant::now());
        for _ in 0..PULLS {
            let pulled = site.ask(&accept, &format!("/v2/team/app/manifests/{reference}"))?.expect(200)?;
            assert_eq!(pulled.body, found.body);
        }
        let asked = asked(&debug)? - before;
        let looks = (1 + begun.elapsed().as_secs() / PATIENCE) * LOOK;
        let most = if reference == "1" { PULLS + looks } else { looks };
        assert!(asked <= most, "S3 was asked {asked} times for {PULLS} pulls of {reference}");
    }
    server.stop()
}
