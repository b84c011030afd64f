//! Mirrors that come, change and go while the registry runs.

use crate::fixture::{Server, digest, mirror_of, noise};
use anyhow::{Result, ensure};
use berth_tests::cluster::wait;
use berth_tests::command::succeed;
use berth_tests::http::Answer;
use berth_tests::registry_server::{RegistryServer, Setup};
use std::fs;
use std::time::Duration;

/// The configuration is looked at every two seconds.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running registry, and the configuration that it was started with.
struct Mirror {
    server: Server,
    configuration: String,
}

impl Mirror {
    fn start() -> Result<Self> {
        let server = Server::start("")?;
        let configuration = fs::read_to_string(server.path("config.yml"))?;
        Ok(Self { server, configuration })
    }

    /// Adds this to the configuration, instead of what was added before.
    fn configure(&self, more: &str) -> Result<()> {
        let next = self.server.path("next.yml");
        fs::write(&next, format!("{}{more}", self.configuration))?;
        Ok(fs::rename(next, self.server.path("config.yml"))?)
    }

    fn wait_for(&self, status: u16, path: &str) -> Result<Answer> {
        wait::until(&format!("{status} to be the answer"), PATIENCE, || {
            self.server.ask(&[], path)?.expect(status)
        })
    }
}

/// Pushes a blob, and returns its digest.
fn push(upstream: &RegistryServer, content: &[u8]) -> Result<String> {
    let digest = digest(content);
    let file = upstream.certificates().join("content");
    fs::write(&file, content)?;
    let url = upstream.url(&format!("/v2/team/app/blobs/uploads/?digest={digest}"));
    let body = format!("@{}", file.display());
    succeed(upstream.curl().args(["--fail", "--request", "POST", "--data-binary", &body, &url]))?;
    Ok(digest)
}

#[test]
fn a_mirror_its_authorities_and_its_end_are_taken_over_while_the_registry_runs() -> Result<()> {
    let upstream = RegistryServer::start_as(&Setup { is_open: true, ..Setup::default() })?;
    let layer = noise(1 << 20);
    let digest = push(&upstream, &layer)?;
    let blob = format!("/v2/hub/team/app/blobs/{digest}");
    let mirror = Mirror::start()?;
    mirror.server.ask(&[], &blob)?.expect(404)?;

    mirror.configure(&mirror_of(&upstream.url(""), ""))?;
    mirror.wait_for(503, &blob)?;
    let authorities = serde_json::to_string(&fs::read_to_string(upstream.ca_file())?)?;
    mirror.configure(&mirror_of(&upstream.url(""), &format!(", ca: {authorities}")))?;
    ensure!(mirror.wait_for(200, &blob)?.body == layer, "something else came");
    let uploads = "/v2/hub/own/blobs/uploads/";
    mirror.server.ask(&["--request", "POST"], uploads)?.expect(405)?;

    mirror.configure("")?;
    wait::until("pushes to be taken", PATIENCE, || {
        mirror.server.ask(&["--request", "POST"], uploads)?.expect(202)
    })?;
    upstream.kill()?;
    ensure!(mirror.server.ask(&[], &blob)?.expect(200)?.body == layer, "what was mirrored is gone");
    Ok(())
}

#[test]
fn a_configuration_whose_mirrors_cannot_be_opened_leaves_those_of_before_in_force() -> Result<()> {
    let upstream = Server::start("")?;
    let mirror = Mirror::start()?;
    mirror.configure(&mirror_of(&upstream.url(""), ", offline: true"))?;
    wait::until("the mirror", PATIENCE, || {
        mirror.server.ask(&["--request", "POST"], "/v2/hub/own/blobs/uploads/")?.expect(405)
    })?;
    mirror.configure(&mirror_of(&upstream.url(""), ", ca: /nonexistent/ca.crt"))?;
    wait::until("the refusal", PATIENCE, || {
        ensure!(
            mirror.server.log().contains("the last good version stays in force"),
            "{}",
            mirror.server.log()
        );
        Ok(())
    })?;
    mirror.server.ask(&["--request", "POST"], "/v2/hub/own/blobs/uploads/")?.expect(405)?;
    Ok(())
}
