//! The garbage collection of each registry, on what the other one has written.

use crate::clients::Clients;
use crate::site::{Registry, Site};
use crate::tree::Tree;
use crate::view::View;
use anyhow::{Context, Result};

/// A folder that one of the registries has filled.
fn filled(by: Registry) -> Result<Site> {
    let site = Site::new()?;
    let registry = site.serve(by)?;
    Clients::of(&site, &registry).push_everything()?;
    registry.stop()?;
    Ok(site)
}

/// What both serve, which has to be the same; `untagged` are manifests that only their digest leads to.
fn view(site: &Site, untagged: &[(&str, &str)]) -> Result<View> {
    let ours = view_by(site, Registry::Berth, untagged)?;
    let theirs = view_by(site, Registry::Original, untagged)?;
    assert_eq!(ours.differences(&theirs), [""; 0]);
    Ok(ours)
}

fn view_by(site: &Site, registry: Registry, untagged: &[(&str, &str)]) -> Result<View> {
    let running = site.serve(registry)?;
    let mut view = View::of(&running)?;
    for (name, digest) in untagged {
        view.follow(&running, name, digest)?;
    }
    running.stop()?;
    Ok(view)
}

/// How many blobs there are, whoever needs them.
fn blobs(site: &Site) -> Result<usize> {
    Tree::of(&site.data().join("docker/registry/v2/blobs")).map(|tree| tree.len())
}

#[test]
fn that_of_the_original_takes_only_garbage_from_ours() -> Result<()> {
    let site = filled(Registry::Berth)?;
    let (before, all) = (view(&site, &[])?, blobs(&site)?);
    site.collect_garbage(Registry::Original, &[])?;
    assert_eq!(before.differences(&view(&site, &[])?), [""; 0]);
    assert_eq!(blobs(&site)?, all - 3, "manifest, config and layer of the image that was deleted are gone");
    Ok(())
}

#[test]
fn that_of_the_original_keeps_what_refers_to_a_subject_and_what_has_a_long_digest() -> Result<()> {
    let site = Site::new()?;
    let berth = site.serve(Registry::Berth)?;
    let clients = Clients::of(&site, &berth);
    let subject = clients.push("the application", "team/app:1", &[])?;
    let referrer = clients.attach_signature("team/app", &subject)?;
    let long = clients.push_with_long_digests("team/long")?;
    berth.stop()?;
    let untagged = [("team/app", referrer.as_str()), ("team/long", long.as_str())];
    let before = view(&site, &untagged)?;
    site.collect_garbage(Registry::Original, &[])?;
    assert_eq!(before.differences(&view(&site, &untagged)?), [""; 0]);
    let berth = site.serve(Registry::Berth)?;
    let referrers = berth.ask(&[], &format!("/v2/team/app/referrers/{subject}"))?.json()?;
    assert_eq!(referrers["manifests"][0]["digest"], referrer.as_str());
    Ok(())
}

#[test]
fn that_of_the_original_without_untagged_manifests_keeps_every_tagged_image() -> Result<()> {
    let site = filled(Registry::Berth)?;
    let berth = site.serve(Registry::Berth)?;
    // Without tags of their own, it takes the images of an index; from its own repositories as well.
    for tag in ["one", "two"] {
        let (part, tagged) = (format!("parts:{tag}"), format!("platforms:{tag}"));
        Clients::of(&site, &berth).crane(&["copy", &berth.reference(&part), &berth.reference(&tagged)])?;
    }
    berth.stop()?;
    let before = view(&site, &[])?;
    site.collect_garbage(Registry::Original, &["-m"])?;
    assert_eq!(before.differences(&view(&site, &[])?), [""; 0]);
    Ok(())
}

#[test]
fn that_of_the_original_without_untagged_manifests_takes_signatures_and_ours_keeps_them() -> Result<()> {
    let site = Site::new()?;
    let berth = site.serve(Registry::Berth)?;
    let clients = Clients::of(&site, &berth);
    let subject = clients.push("the application", "team/app:1", &[])?;
    let signature = clients.attach_signature("team/app", &subject)?;
    berth.stop()?;
    let untagged = [("team/app", signature.as_str())];
    let before = view(&site, &untagged)?;
    site.collect_garbage(Registry::Berth, &["-m"])?;
    assert_eq!(before.differences(&view(&site, &untagged)?), [""; 0]);
    site.collect_garbage(Registry::Original, &["-m"])?;
    let berth = site.serve(Registry::Berth)?;
    berth.ask(&[], &format!("/v2/team/app/manifests/{signature}"))?.expect(404)?;
    let referrers = berth.ask(&[], &format!("/v2/team/app/referrers/{subject}"))?.json()?;
    assert_eq!(referrers["manifests"], serde_json::json!([]), "what is gone is not listed");
    Clients::of(&site, &berth).pull("team/app:1")
}

#[test]
fn ours_takes_only_garbage_from_the_originals() -> Result<()> {
    for arguments in [&[][..], &["-m"]] {
        let site = filled(Registry::Original)?;
        let (before, all) = (view(&site, &[])?, blobs(&site)?);
        site.collect_garbage(Registry::Berth, arguments)?;
        assert_eq!(before.differences(&view(&site, &[])?), [""; 0], "{arguments:?}");
        assert_eq!(blobs(&site)?, all - 3, "{arguments:?}");
    }
    Ok(())
}

#[test]
fn a_push_after_the_originals_collection_brings_everything_back() -> Result<()> {
    let site = filled(Registry::Berth)?;
    site.collect_garbage(Registry::Original, &[])?;
    let berth = site.serve(Registry::Berth)?;
    let clients = Clients::of(&site, &berth);
    let digest = clients.push("what nobody wants any more", "team/app:old", &[])?;
    clients.pull(&format!("team/app@{digest}")).context("what was collected is pushed again")
}
