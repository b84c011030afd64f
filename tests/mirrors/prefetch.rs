//! Images that a mirror fetches before anybody asks, again and again.

use crate::fixture::{IMAGE, Server, digest, mirror_of, noise};
use anyhow::{Result, ensure};
use berth_tests::cluster::wait;
use std::fs;
use std::time::Duration;

const ACCEPT: &str = "Accept: application/vnd.oci.image.manifest.v1+json";

/// How long is waited for what should have come long before.
const LIMIT: Duration = Duration::from_mins(1);

/// Waits until nothing of the image is missing at the mirror, as its folder tells, which asks nobody.
fn wait_for(mirror: &Server, image: &str, layer: &[u8]) -> Result<()> {
    let repository = mirror.path("data/docker/registry/v2/repositories/hub/team/app");
    wait::until("the image to be fetched", LIMIT, || {
        let tag = fs::read_to_string(repository.join("_manifests/tags/1/current/link"))?;
        ensure!(tag == image, "the tag leads to {tag}");
        let link = format!("_layers/{}/link", digest(layer).replace(':', "/"));
        ensure!(repository.join(link).exists(), "its layer is missing:\n{}", mirror.log());
        Ok(())
    })
}

#[test]
fn what_is_prefetched_is_there_as_a_whole_and_follows_its_tag_though_nobody_pulls() -> Result<()> {
    let mut upstream = Server::start("")?;
    let (first, second) = (noise(1 << 20), noise(1 << 19));
    let old = upstream.push_image("team/app", "1", &first)?;
    let more = ", prefetch: {images: ['team/app:1'], interval: 1s}";
    let mirror = Server::start(&mirror_of(&upstream.url(""), more))?;
    wait_for(&mirror, &old, &first)?;

    let new = upstream.push_image("team/app", "1", &second)?;
    let empty = upstream.push_blob("team/app", b"{}")?;
    let signature = format!(
        r#"{{"schemaVersion":2,"mediaType":"{IMAGE}","artifactType":"application/vnd.example.signature","config":{{"mediaType":"application/vnd.oci.empty.v1+json","digest":"{empty}","size":2}},"layers":[],"subject":{{"mediaType":"{IMAGE}","digest":"{new}","size":2}}}}"#
    );
    let signature = upstream.push_manifest("team/app", "signature", &signature)?;
    wait_for(&mirror, &new, &second)?;
    // The signature may have come after that round; the one that begins now brings it.
    let link = format!("_manifests/revisions/{}/link", signature.replace(':', "/"));
    let link = mirror.path("data/docker/registry/v2/repositories/hub/team/app").join(link);
    wait::until("the signature to be fetched", LIMIT, || {
        ensure!(link.exists(), "it is not there:\n{}", mirror.log());
        Ok(())
    })?;
    ensure!(mirror.requests("GET /v2/hub/") == 0, "somebody has pulled");

    upstream.stop()?;
    let pulled = mirror.ask(&["--header", ACCEPT], "/v2/hub/team/app/manifests/1")?.expect(200)?;
    ensure!(pulled.header("docker-content-digest") == Some(new.as_str()));
    let layer = mirror.ask(&[], &format!("/v2/hub/team/app/blobs/{}", digest(&second)))?.expect(200)?;
    ensure!(layer.body == second);
    let listed = mirror.ask(&[], &format!("/v2/hub/team/app/referrers/{new}"))?.expect(200)?.json()?;
    ensure!(listed["manifests"][0]["digest"] == serde_json::json!(signature), "{listed}");
    Ok(())
}
