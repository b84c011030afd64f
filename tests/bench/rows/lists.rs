//! Lists of many tags and of many repositories, all at once and by pages.

use super::load::{any, measure as measure_all};
use super::reads::requests;
use crate::content::{Image, Sizes, Tree};
use crate::measurement::Unit;
use crate::server::{ALL, Running, Server, Target};
use crate::site::Site;
use anyhow::Result;
use std::fs;
use std::path::Path;

const TAGGED: &str = "bench/tagged";

/// Measures them over one storage.
pub(super) fn measure(site: &mut Site) -> Result<()> {
    let sizes = site.sizes.clone();
    let targets = targets(&sizes);
    let nginx = Server::Nginx.name();
    let case = |(name, target): &(String, Target)| requests("GET", name, 1, nginx, &[], target.clone());
    let cases: Vec<_> = targets.iter().map(case).collect();
    debug_assert!(cases.iter().all(|case| case.definition.unit == Unit::Requests));
    if !any(site, &cases) {
        return Ok(());
    }
    let data = site.empty()?;
    write(data.path(), &sizes)?;
    let berth = Running::start(Server::Berth, &site.open(data.path()))?;
    for (_, target) in &targets {
        let answer = berth.client()?.send("GET", &target.api, &[], &[])?.expect(200)?;
        fs::write(data.path().join(&target.file), answer.body)?;
    }
    drop(berth);
    let servers = site.start(&ALL, &site.open(data.path()))?;
    measure_all(site, &cases, &servers)
}

fn targets(sizes: &Sizes) -> Vec<(String, Target)> {
    let (tags, repositories, page) = (sizes.tags, sizes.repositories, sizes.page);
    let target = |api: String, file: &str| Target { api, file: file.into() };
    vec![
        (format!("tags/list of {tags}"), target(format!("/v2/{TAGGED}/tags/list"), "tags")),
        (
            format!("tags/list of {tags}, page of {page}"),
            target(format!("/v2/{TAGGED}/tags/list?n={page}"), "page"),
        ),
        (
            format!("_catalog of {repositories}, page of {page}"),
            target(format!("/v2/_catalog?n={page}"), "catalog"),
        ),
    ]
}

fn write(root: &Path, sizes: &Sizes) -> Result<()> {
    let (tree, image) = (Tree::at(root), Image::random(&[1024]));
    let manifest = image.manifest_blob();
    tree.enter(TAGGED, &image)?;
    for number in 0..sizes.tags {
        tree.tag(TAGGED, &format!("tag-{number:05}"), &manifest)?;
    }
    for number in 1..sizes.repositories {
        let repository = format!("bench/repository-{number:04}");
        tree.enter(&repository, &image)?;
        tree.tag(&repository, "latest", &manifest)?;
    }
    Ok(())
}
