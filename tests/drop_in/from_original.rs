//! What the original has written, ours serves.

use crate::clients::Clients;
use crate::site::{Registry, Running, Site};
use crate::tree::Tree;
use crate::view::View;
use anyhow::Result;

/// A folder that the original has filled.
fn filled() -> Result<Site> {
    let site = Site::new()?;
    let original = site.serve(Registry::Original)?;
    Clients::of(&site, &original).push_everything()?;
    original.stop()?;
    Ok(site)
}

/// Everything that a registry shows, and what it says of the image that was deleted.
fn view(registry: &Running) -> Result<View> {
    let mut view = View::of(registry)?;
    view.ask(registry, "/v2/team/app/manifests/old")?.expect(404)?;
    view.ask(registry, "/v2/team/absent/tags/list")?.expect(404)?;
    Ok(view)
}

#[test]
fn every_answer_is_the_originals() -> Result<()> {
    let site = filled()?;
    let original = site.serve(Registry::Original)?;
    let theirs = view(&original)?;
    original.stop()?;
    let berth = site.serve(Registry::Berth)?;
    assert_eq!(theirs.differences(&view(&berth)?), [""; 0]);
    assert!(theirs.len() > 50, "{theirs:#?}");
    Ok(())
}

#[test]
fn pulling_leaves_every_file_as_it_was() -> Result<()> {
    let site = filled()?;
    let before = Tree::of(&site.data())?;
    let berth = site.serve(Registry::Berth)?;
    let clients = Clients::of(&site, &berth);
    for name in ["team/app:latest", "team/app:stable", "team/app/nested:1", "other/copy:1", "platforms:1"] {
        clients.pull(name)?;
        clients.crane(&["validate", "--remote", &berth.reference(name)])?;
    }
    clients.oras(&["pull", &berth.reference("charts/app:1.0.0_build.1")])?;
    view(&berth)?;
    berth.stop()?;
    assert_eq!(before.differences(&Tree::of(&site.data())?), [""; 0]);
    Ok(())
}

#[test]
fn both_write_the_same_files() -> Result<()> {
    let (theirs, ours) = (filled()?, Site::new()?);
    let berth = ours.serve(Registry::Berth)?;
    Clients::of(&ours, &berth).push_everything()?;
    berth.stop()?;
    // Uploads have random names, and what we keep of deleted images for a while is passed over by the original.
    let tree = |site: &Site| Tree::of(&site.data()).map(|tree| tree.without("_uploads").without("trash"));
    assert_eq!(tree(&theirs)?.differences(&tree(&ours)?), [""; 0]);
    Ok(())
}

#[test]
fn what_was_attached_under_a_fallback_tag_is_listed_by_the_referrers_api() -> Result<()> {
    let site = filled()?;
    let original = site.serve(Registry::Original)?;
    let (subject, kind) = (original.reference("team/app:1"), "application/vnd.example.signature");
    std::fs::write(site.path("signature.txt"), "signed")?;
    let attach = ["attach", "--artifact-type", kind, &subject, "signature.txt:text/plain"];
    Clients::of(&site, &original).oras(&attach)?;
    original.stop()?;
    let berth = site.serve(Registry::Berth)?;
    let discover = ["discover", "--format=json", "--distribution-spec=v1.1-referrers-api", &subject];
    let found = Clients::of(&site, &berth).oras(&discover)?;
    assert!(found.contains(kind), "{found}");
    Ok(())
}

#[test]
fn what_ours_changes_in_it_the_original_serves() -> Result<()> {
    let site = filled()?;
    let berth = site.serve(Registry::Berth)?;
    let clients = Clients::of(&site, &berth);
    clients.push("a new application", "team/app:2", &[])?;
    clients.crane(&["tag", &berth.reference("team/app:2"), "latest"])?;
    clients.crane(&["delete", &berth.reference("team/app:stable")])?;
    let digest = clients.crane(&["digest", &berth.reference("team/app:docker")])?;
    clients.crane(&["delete", &berth.reference(&format!("team/app@{}", digest.trim()))])?;
    let ours = view(&berth)?;
    berth.stop()?;
    let original = site.serve(Registry::Original)?;
    let theirs = view(&original)?;
    assert_eq!(ours.differences(&theirs), [""; 0]);
    for deleted in ["docker", "stable"] {
        original.ask(&[], &format!("/v2/team/app/manifests/{deleted}"))?.expect(404)?;
    }
    Clients::of(&site, &original).push("written by the original again", "team/app:3", &[]).map(drop)
}
