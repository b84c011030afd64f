//! What ours has written, the original serves.

use crate::clients::{Clients, image_of};
use crate::site::{Registry, Site};
use crate::view::{View, sha256};
use anyhow::{Context, Result};

/// Lets both registries look at the site in turn; they have to see the same.
fn assert_same_view(site: &Site, extra: &[(&str, &str)]) -> Result<()> {
    let view = |registry| -> Result<View> {
        let running = site.serve(registry)?;
        let mut view = View::of(&running)?;
        for (name, reference) in extra {
            view.follow(&running, name, reference)?;
        }
        running.stop()?;
        Ok(view)
    };
    assert_eq!(view(Registry::Berth)?.differences(&view(Registry::Original)?), [""; 0]);
    Ok(())
}

#[test]
fn everything_that_clients_push_and_delete() -> Result<()> {
    let site = Site::new()?;
    let berth = site.serve(Registry::Berth)?;
    let clients = Clients::of(&site, &berth);
    clients.push_everything()?;
    let digest = clients.crane(&["digest", &berth.reference("other/copy:1")])?;
    let mounted = clients.crane(&["manifest", &berth.reference("other/copy:1")])?;
    let layer = serde_json::from_str::<serde_json::Value>(&mounted)?["layers"][0]["digest"].clone();
    let layer = layer.as_str().context("an image has a layer")?;
    let mount = format!("/v2/parts/blobs/uploads/?mount={layer}&from=other/copy");
    berth.ask(&["--request", "POST"], &mount)?.expect(201)?;
    // A tag alone, which the original itself cannot delete.
    clients.crane(&["delete", &berth.reference("team/app:latest")])?;
    berth.stop()?;

    assert_same_view(&site, &[("other/copy", digest.trim())])?;
    let original = site.serve(Registry::Original)?;
    original.ask(&[], &format!("/v2/parts/blobs/{layer}"))?.expect(200)?;
    original.ask(&[], "/v2/team/app/manifests/latest")?.expect(404)?;
    for name in ["team/app:1", "team/app:docker", "platforms:1", "team/app/nested:1"] {
        Clients::of(&site, &original).pull(name)?;
    }
    Ok(())
}

#[test]
fn what_refers_to_a_subject() -> Result<()> {
    let site = Site::new()?;
    let berth = site.serve(Registry::Berth)?;
    let clients = Clients::of(&site, &berth);
    let subject = clients.push("the application", "team/app:1", &[])?;
    let referrer = clients.attach_signature("team/app", &subject)?;
    berth.stop()?;
    assert_same_view(&site, &[("team/app", &referrer)])
}

#[test]
fn content_under_a_digest_of_sha_512() -> Result<()> {
    let site = Site::new()?;
    let berth = site.serve(Registry::Berth)?;
    let image = Clients::of(&site, &berth).push_with_long_digests("team/long")?;
    berth.stop()?;
    assert_same_view(&site, &[("team/long", &image)])
}

#[test]
fn a_blob_without_a_byte() -> Result<()> {
    let site = Site::new()?;
    let berth = site.serve(Registry::Berth)?;
    let clients = Clients::of(&site, &berth);
    clients.put_blob("team/empty", &sha256(b""), b"")?;
    clients.put_manifest("team/empty", "1", &image_of(&sha256(b""), 0))?;
    berth.stop()?;
    assert_same_view(&site, &[])
}
