//! A registry whose images lie in a bucket: ours, and the original on the same bucket before and after.

use crate::SERVER;
use crate::site::{Site, layer};
use anyhow::Result;
use berth_tests::programs::packaged;
use berth_tests::registry_process::program;
use berth_tests::s3_server::S3Server;
use serde_json::json;

#[test]
fn images_are_pushed_and_pulled_and_every_command_works() -> Result<()> {
    let site = Site::new(&SERVER, "commands")?;
    let server = site.serve(program()?)?;
    let (small, large) = (layer(b'a', 5_000), layer(b'b', 25_000_000));
    site.push("team/app", "1", &small)?;
    site.push("team/app", "2", &large)?;
    site.assert_has("team/app", "1", &small)?;
    site.assert_has("team/app", "2", &large)?;
    let tags = site.ask(&[], "/v2/team/app/tags/list")?.expect(200)?.json()?;
    assert_eq!(tags["tags"], json!(["1", "2"]));
    assert_eq!(site.ask(&[], "/v2/_catalog")?.expect(200)?.json()?["repositories"], json!(["team/app"]));
    site.ask(&["--request", "DELETE"], "/v2/team/app/manifests/1")?.expect(202)?;
    server.stop()?;

    assert!(site.command(&["ls"])?.contains("team/app"));
    assert!(site.command(&["du"])?.contains("team/app"));
    site.command(&["check"])?;
    assert!(site.command(&["config", "check"])?.contains("storage.s3.bucket"));
    site.command(&["garbage-collect", "--min-age=0s"])?;
    let server = site.serve(program()?)?;
    site.assert_has("team/app", "2", &large)?;
    server.stop()
}

#[test]
fn a_bucket_of_the_original_is_served_in_place_and_given_back() -> Result<()> {
    let site = Site::new(&SERVER, "/shared/with/the/original")?;
    let (theirs, ours) = (layer(b'c', 12_000_000), layer(b'd', 12_000_001));
    let original = site.serve(packaged("docker-registry")?)?;
    site.push("team/app", "theirs", &theirs)?;
    original.stop()?;

    let server = site.serve(program()?)?;
    site.assert_has("team/app", "theirs", &theirs)?;
    site.push("team/app", "ours", &ours)?;
    site.push_blob("team/other", &theirs)?;
    server.stop()?;

    let original = site.serve(packaged("docker-registry")?)?;
    site.assert_has("team/app", "theirs", &theirs)?;
    site.assert_has("team/app", "ours", &ours)?;
    original.stop()
}

#[test]
fn while_s3_is_away_clients_are_told_to_come_back_and_then_all_is_there() -> Result<()> {
    let s3 = S3Server::start()?;
    let site = Site::new(&s3, "outage")?;
    let server = site.serve(program()?)?;
    let layer = layer(b'e', 6_000_000);
    site.push("team/app", "1", &layer)?;
    s3.kill()?;
    let away = site.ask(&[], "/v2/team/app/manifests/1")?.expect(503)?;
    assert!(away.header("retry-after").is_some(), "{away:?}");
    site.ask(&["--request", "POST"], "/v2/team/app/blobs/uploads/")?.expect(503)?;
    s3.resume()?;
    site.assert_has("team/app", "1", &layer)?;
    server.stop()
}
